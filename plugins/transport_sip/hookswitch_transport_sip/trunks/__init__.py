"""Trunks: PBXs and carriers we register with, or that are simply there. No I/O, no clock."""
