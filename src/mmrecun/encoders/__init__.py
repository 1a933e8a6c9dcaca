"""Encoders: raw text, pictures and sound to item features."""
