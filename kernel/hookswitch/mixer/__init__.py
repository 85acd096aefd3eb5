"""The mixer: ports, rooms, edges and banks, served by one synchronous tick."""
