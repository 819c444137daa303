"""Local speaker segmentation: which of up to three slots speak, and where one speaker is alone."""
