"""Frame grids of segmentation networks."""

from hocket.geometry import Geometry

RATE = 100
"""Sample rate of the small grids."""


def grid_of(window_samples: int, frame_step: int, receptive_field: int) -> Geometry:
    """A small grid, with as many frames as fit into a window."""
    frames = 1 + (window_samples - receptive_field) // frame_step
    return Geometry(RATE, window_samples, frame_step, receptive_field, frames, 3)


SHIPPED = Geometry(16_000, 160_000, 270, 991, 589, 3)
"""The grid of the network that is shipped."""

SMALL = grid_of(40, 4, 10)
"""A grid with eight frames a window."""
