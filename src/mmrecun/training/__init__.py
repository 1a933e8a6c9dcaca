"""Training: losses, the training loop, and fitting a recommender to a dataset."""
