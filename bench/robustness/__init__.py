"""What happens to recordings that are damaged."""
