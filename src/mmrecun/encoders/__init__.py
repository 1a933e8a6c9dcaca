"""Raw text, pictures and sound to item features."""
