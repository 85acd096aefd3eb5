"""The registrar: where users can be reached (RFC 3261 section 10). No I/O, no clock."""
