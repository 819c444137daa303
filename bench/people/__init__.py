"""A store of known speakers: names in conversations, verification, and its file."""
