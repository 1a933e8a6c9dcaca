"""Runs as chunks named by their content: a change writes the chunks it touches, and shares the others."""
