"""Media workers: where engines run, how the control process speaks to them, and shared rings."""
