"""Error rates, and the weights and settings that are learned from recordings."""
