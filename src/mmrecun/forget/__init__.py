"""What is asked to be forgotten, and what that divides: requests, their files, partitions, records."""
