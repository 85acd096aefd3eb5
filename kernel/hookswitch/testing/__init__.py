"""The test kit: what plugin authors and our own tests share."""
