"""The player, its parts one by one and as the process it is."""
