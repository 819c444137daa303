"""Sound while it is recorded: sessions, and the process in which they are."""
