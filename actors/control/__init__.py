"""What a runtime offers to those who use it, by subject."""
