"""Embeddings: subsegments of regions, packed for the network, and channel compensation."""
