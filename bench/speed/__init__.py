"""Time, memory, copies and arithmetic, measured in processes of their own."""
