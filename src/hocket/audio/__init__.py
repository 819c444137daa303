"""Audio input: files, arrays, pipes and microphones to mono blocks at the graphs' rate."""
