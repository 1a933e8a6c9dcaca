"""Forget requests, request files, partitions and records."""
