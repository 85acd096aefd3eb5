"""One call to several targets. No I/O, no clock."""
