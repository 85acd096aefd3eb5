"""Audio codecs, worked in batches of many ports at once."""
