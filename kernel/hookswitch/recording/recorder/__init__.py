"""The recorder: the process that writes all recordings."""
