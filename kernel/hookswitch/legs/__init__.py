"""Legs: one side of a call each."""
