"""User values and keys: as bytes, and why one cannot be."""
