"""Audio over WebSockets: what legs, rooms and bots that speak over one have in common."""
