"""Whole recordings: audio in, turns out."""
