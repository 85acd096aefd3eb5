"""The thin shell around the SIP core: sockets, connections, TLS, DNS."""
