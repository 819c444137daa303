"""Synthetic music behind speech: chords of strings, and a beat."""

import numpy as np

from bench.people.voices import RATE, Sound

BEATS_PER_MINUTE = (80.0, 130.0)
TONIC_HZ = (98.0, 196.0)  # G2 to G3
PROGRESSIONS = ((0, 7, 9, 5), (0, 5, 7, 0), (9, 5, 0, 7))  # semitones of the chords' roots
MAJOR, MINOR = (0, 4, 7, 12), (0, 3, 7, 12)
MINOR_ROOTS = (2, 4, 9)  # chords on these are minor in a major key
HARMONICS, NOTE_S, DECAY_S = 8, 1.5, 0.5
BEATS_PER_CHORD = 4
DRUM_S, DRUM_DECAY_S, DRUM = 0.12, 0.03, 0.5
STRUM_S = 0.02  # longest delay of a note in a chord


def music(samples: int, rng: np.random.Generator) -> Sound:
    """Background music at an arbitrary level, (samples,) at 16 kHz."""
    beat = round(60 / rng.uniform(*BEATS_PER_MINUTE) * RATE)
    tonic = rng.uniform(*TONIC_HZ)
    roots = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    total = np.zeros(samples + round((NOTE_S + STRUM_S) * RATE) + 1)
    chords = [_chord(tonic, root) for root in roots]
    for index, start in enumerate(range(0, samples, beat)):
        notes = chords[index // BEATS_PER_CHORD % len(chords)]
        for note in notes:
            first = start + int(rng.integers(round(STRUM_S * RATE)))
            total[first : first + len(note)] += rng.uniform(0.5, 1.0) * note
        if index % 2:
            drum = _drum(rng)
            total[start : start + len(drum)] += drum
    return total[:samples].astype(np.float32)


def _chord(tonic: float, root: int) -> list["np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    """Notes of a chord: decaying harmonics; higher ones decay faster."""
    steps = MINOR if root in MINOR_ROOTS else MAJOR
    times = np.arange(round(NOTE_S * RATE)) / RATE
    notes = []
    for step in steps:
        pitch = tonic * 2 ** ((root + step) / 12)
        number = np.arange(1, HARMONICS + 1)[:, None]
        waves = np.sin(2 * np.pi * number * pitch * times) * np.exp(-times * number / DECAY_S)
        # harmonics above half the rate would alias
        waves[(number * pitch)[:, 0] > RATE / 2] = 0
        notes.append(np.asarray((waves / number).sum(axis=0)))
    return notes


def _drum(rng: np.random.Generator) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    times = np.arange(round(DRUM_S * RATE)) / RATE
    return DRUM * rng.standard_normal(len(times)) * np.exp(-times / DRUM_DECAY_S)
