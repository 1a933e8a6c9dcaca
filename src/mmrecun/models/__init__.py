"""Recommenders, one a file, behind one contract."""
