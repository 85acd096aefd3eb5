"""RTP (RFC 3550, RFC 3551) for many ports at once: the bank of SIP's media, and its parts."""
