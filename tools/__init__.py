"""Scripts for those who work on Undercurrent."""
