"""hocket's forge: builds the graphs that ship with hocket from PyTorch modules."""
