"""Constraints on a result, and what follows from them."""
