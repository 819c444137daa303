"""hocket's forge: PyTorch modules to the graphs that ship with hocket."""
