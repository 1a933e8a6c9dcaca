"""What `mmrecun` finds in this package by its entry points."""
