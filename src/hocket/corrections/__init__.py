"""What a user knows of a recording, and what follows from it."""
