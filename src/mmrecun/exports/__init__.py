"""A run in the formats of other tools; each export knows the run it came from."""
