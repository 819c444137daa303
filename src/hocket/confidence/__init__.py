"""Confidence of turns and of the number of speakers."""
