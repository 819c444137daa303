"""What results are made into for people."""
