"""The method of this package: take the pull of forgotten pairs out of every row, then settle on what is retained."""
