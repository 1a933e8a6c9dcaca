"""Ids, interactions, modalities, datasets, splits, graphs and files."""
