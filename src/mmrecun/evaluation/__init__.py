"""Top-K lists, metrics and their report."""
