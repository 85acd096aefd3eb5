"""The player: the process that fetches, decodes and generates what is played."""
