"""Who may come in: challenges, trust, throttling. No I/O, no clock."""
