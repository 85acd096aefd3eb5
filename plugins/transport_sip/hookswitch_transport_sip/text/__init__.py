"""Real-time text (ITU-T T.140) over RTP (RFC 4103, RFC 2198, RFC 9071): no sockets, no clock.

Every engine takes the time, in seconds on any clock that only grows, as an argument.
"""
