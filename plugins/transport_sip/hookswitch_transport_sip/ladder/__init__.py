"""The SIP messages of each call, kept for those who ask what happened."""
