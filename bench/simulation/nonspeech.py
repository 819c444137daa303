"""Laughter and breaths, which are not part of any turn."""

import numpy as np
from scipy.signal import butter, sosfilt

from bench.people.mixing import LEVEL, level
from bench.people.voices import RATE, Sound
from bench.simulation.scene import Script, Utterance
from bench.simulation.words import faded

CHANCE = 0.25  # probability of a sound in a gap
LEAST_GAP_S, BESIDE_S = 0.5, 0.1
LAUGH, LAUGH_DB, BREATH_DB = 0.4, (-10.0, -2.0), (-24.0, -14.0)
BEAT_S = (0.16, 0.24)  # a burst and the gap after it: 4 to 6 per second
PITCH_HZ = (150.0, 450.0)  # of laughter, above that of speech
FORMANTS_HZ = ((500.0, 900.0), (1300.0, 1800.0), (2400.0, 2900.0))  # of an open vowel
BREATH_HZ = (400.0, 3500.0)
MOST_S = 1.2


def add_nonspeech(script: Script, rng: np.random.Generator) -> None:
    """Add laughs and breaths in gaps between turns."""
    reached = 0
    for utterance in sorted(script.utterances, key=lambda each: each.start):
        gap_s = (utterance.start - reached) / RATE - 2 * BESIDE_S
        if reached and gap_s + 2 * BESIDE_S >= LEAST_GAP_S and rng.random() < CHANCE:
            speakers = list(script.words)
            speaker = speakers[int(rng.integers(len(speakers)))]
            sound = _sound(min(gap_s, MOST_S), rng)
            script.nonspeech.append(Utterance(speaker, reached + round(BESIDE_S * RATE), sound))
        reached = max(reached, utterance.end)


def laugh(seconds: float, rng: np.random.Generator) -> Sound:
    """Voiced bursts, faster than syllables and with falling pitch, (samples,) at 16 kHz."""
    times = np.arange(round(seconds * RATE)) / RATE
    beat_s, pitch = rng.uniform(*BEAT_S), rng.uniform(*PITCH_HZ)
    within = times % beat_s / beat_s
    # a burst is voiced in its first half, and breathy in its second
    voiced = np.maximum(np.sin(2 * np.pi * np.minimum(within, 0.5)), 0)
    glide = pitch * (1 - 0.3 * times / max(seconds, 1e-3)) * (1 - 0.2 * within)
    phase = np.cumsum(glide) / RATE
    source = 2 * (phase % 1) - 1 + 0.3 * rng.standard_normal(len(times))
    breath = 0.1 * rng.standard_normal(len(times)) * (1 - voiced)
    return _shaped(source * voiced + breath)


def breath(seconds: float, rng: np.random.Generator) -> Sound:
    """Noise that swells and decays, (samples,) at 16 kHz."""
    size = round(seconds * RATE)
    sos = butter(2, BREATH_HZ, "bandpass", fs=RATE, output="sos")
    noise = sosfilt(sos, rng.standard_normal(size))
    return np.asarray(noise * np.hanning(size) ** 0.5, np.float32)


def _sound(most_s: float, rng: np.random.Generator) -> Sound:
    laughs = rng.random() < LAUGH
    seconds = rng.uniform(0.3, max(0.3, most_s))
    sound = (laugh if laughs else breath)(seconds, rng)
    decibels = rng.uniform(*(LAUGH_DB if laughs else BREATH_DB))
    return faded(np.float32(LEVEL / level(sound) * 10 ** (decibels / 20)) * sound)


def _shaped(source: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Sound:
    """Filter a source by the formants of a vowel."""
    total = 0.2 * source
    for low, high in FORMANTS_HZ:
        total = total + sosfilt(butter(1, (low, high), "bandpass", fs=RATE, output="sos"), source)
    return np.asarray(total, np.float32)
