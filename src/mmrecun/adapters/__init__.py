"""Models of other libraries: read from their own files, unlearned, audited, and written back in the same format."""
