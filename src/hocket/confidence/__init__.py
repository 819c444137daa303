"""How sure turns and the number of speakers are."""
