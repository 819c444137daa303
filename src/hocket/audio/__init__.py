"""Sound in: files, arrays, pipes and microphones become mono blocks at the graphs' rate."""
