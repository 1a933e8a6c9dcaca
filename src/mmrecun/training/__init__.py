"""Losses, the one loop, and fitting a recommender to a dataset."""
