"""Sans-I/O SIP (RFC 3261): no sockets, no clock; time is a parameter in seconds."""
