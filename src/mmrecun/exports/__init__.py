"""A run in the formats of other tools; each export records the run it came from."""
