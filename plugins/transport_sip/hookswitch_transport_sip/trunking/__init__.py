"""Trunks at work: REGISTERs and OPTIONS are sent, calls go out and come in."""
