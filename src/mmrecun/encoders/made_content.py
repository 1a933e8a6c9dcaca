"""Synthetic pictures, words and sounds that show the group of each item, for the demo and for tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from scipy.io import wavfile

from mmrecun.arrays import Floats, Ints
from mmrecun.data.parquet import write_parquet
from mmrecun.extras import library
from mmrecun.rng import Seed

_SIDE = 96  # pixels
_RATE, _SECONDS = 16_000, 1.0
_WORDS = (
    ("storm", "sailor", "harbour", "lighthouse", "tide", "voyage"),
    ("garden", "orchard", "blossom", "seed", "meadow", "beekeeper"),
    ("engine", "rally", "circuit", "driver", "motor", "pit lane"),
    ("violin", "concert", "orchestra", "melody", "singer", "stage"),
    ("bakery", "kitchen", "recipe", "chef", "spice", "supper"),
    ("planet", "rocket", "galaxy", "astronaut", "orbit", "telescope"),
    ("castle", "knight", "kingdom", "crown", "siege", "legend"),
    ("detective", "murder", "alibi", "witness", "evidence", "suspect"),
)
_FORMS = (
    "A tale of {0}, {1} and {2}.",
    "{0} and {1}: a story with {2}.",
    "In this film {0} meets {1}, then {2}.",
)


def write_pictures(ids: Sequence[str], groups: Ints, folder: Path, seed: Seed) -> None:
    """Write a PNG for each id: noisy stripes in the colour, direction and width of its group.

    Raises:
        ConfigError: when Pillow is not installed.
    """
    images = library("PIL.Image", "image", "making pictures")
    folder.mkdir(parents=True)
    rng = seed.numpy()
    for item, group in zip(ids, groups, strict=True):
        images.fromarray(picture_of(int(group), rng)).save(folder / f"{item}.png")


def picture_of(group: int, rng: np.random.Generator) -> np.ndarray:
    """Return uint8 [96, 96, 3]."""
    down, right = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    angle = np.pi * group / 4 + rng.normal(0, 0.05)
    along = right * np.cos(angle) + down * np.sin(angle)
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * (2 + group % 5) * along + rng.uniform(0, 2 * np.pi))
    colour = 0.5 + 0.5 * np.cos(2 * np.pi * (group / len(_WORDS) + np.arange(3) / 3))
    values = stripes[:, :, None] * colour + rng.normal(0, 0.08, (_SIDE, _SIDE, 3))
    picture: np.ndarray = (values.clip(0, 1) * 255).astype(np.uint8)
    return picture


def write_words(ids: Sequence[str], groups: Ints, path: Path, seed: Seed) -> None:
    """Write a Parquet file of `id` and `description`: a sentence with three words that only the group uses."""
    rng = seed.numpy()
    sentences = [
        _FORMS[rng.integers(len(_FORMS))].format(*rng.permutation(_WORDS[group % len(_WORDS)])[:3]) for group in groups
    ]
    write_parquet(pl.DataFrame({"id": list(ids), "description": sentences}), path)


def write_sounds(ids: Sequence[str], groups: Ints, folder: Path, seed: Seed) -> None:
    """Write a WAV file for each id: a noisy, pulsing chord with the pitch and pulse of its group."""
    folder.mkdir(parents=True)
    rng = seed.numpy()
    for item, group in zip(ids, groups, strict=True):
        wavfile.write(folder / f"{item}.wav", _RATE, (sound_of(int(group), rng) * 32_767).astype(np.int16))


def sound_of(group: int, rng: np.random.Generator) -> Floats:
    """Return one second at 16 kHz, float32 between -1 and 1."""
    time = np.arange(int(_RATE * _SECONDS)) / _RATE
    pitch = 150 * 2 ** (group / 2) * rng.uniform(0.97, 1.03)
    chord = sum(np.sin(2 * np.pi * pitch * part * time) / part for part in (1, 1.25, 1.5))
    pulse = 0.5 + 0.5 * np.sin(2 * np.pi * (1 + group) * time)
    sound: Floats = (0.25 * chord * pulse + rng.normal(0, 0.02, len(time))).clip(-1, 1).astype(np.float32)
    return sound
