"""Unlearning methods, one a file, behind one contract."""
