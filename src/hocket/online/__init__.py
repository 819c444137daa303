"""Streams: sound in as it comes, turns out while people speak."""
