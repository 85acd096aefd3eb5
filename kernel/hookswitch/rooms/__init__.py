"""Rooms: legs that hear each other."""
