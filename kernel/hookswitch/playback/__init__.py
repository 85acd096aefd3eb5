"""Playback: files, streams and tones, played to legs and rooms.

A playback is a port of the ring bank that says what a *player* writes: a worker process of its own
kind, which fetches, decodes and generates ahead of the mixer. The control process opens the port,
connects it, and sets its gain; it never touches a sample.
"""
