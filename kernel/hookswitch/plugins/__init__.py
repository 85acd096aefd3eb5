"""Finding, loading and guarding plugins."""
