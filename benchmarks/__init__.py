"""What mmrecun costs, measured against plain ways of doing the same and against what the machine can do at all."""
