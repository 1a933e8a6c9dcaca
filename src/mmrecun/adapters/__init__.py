"""Models that people already have: read from their own files, unlearned, audited, and written back as they came."""
