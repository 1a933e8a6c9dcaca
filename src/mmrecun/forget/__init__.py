"""Forget requests: what is asked for, request files, partitions and records."""
