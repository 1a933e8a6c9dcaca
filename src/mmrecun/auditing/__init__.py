"""Evidence that something was forgotten, and that nothing else was."""
