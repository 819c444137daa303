"""Voice vectors: subsegments of regions, packed for the network, freed of what channels add."""
