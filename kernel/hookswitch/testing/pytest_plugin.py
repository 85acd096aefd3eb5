"""Fixtures for tests of plugins; pytest finds them when hookswitch is installed."""
