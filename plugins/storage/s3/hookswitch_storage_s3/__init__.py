"""Recordings in Amazon S3, or whatever speaks its API."""
