"""Speech recognition by an engine that the user installs, on the speech that hocket finds."""
