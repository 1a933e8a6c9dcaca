"""Ids, interactions, modalities, datasets, forget requests, splits, graphs and files."""
