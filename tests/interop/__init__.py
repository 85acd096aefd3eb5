"""The whole server, talked to by clients nobody here wrote."""
