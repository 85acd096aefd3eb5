"""Who speaks, told by Silero VAD: one run of its network for all ports that have a window ready."""
