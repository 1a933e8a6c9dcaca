"""The planted group of an item can be read off its made sound and words."""

from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.encoders.content import Sound
from mmrecun.encoders.log_mel import LogMel
from mmrecun.encoders.made_content import picture_of, sound_of, write_words
from mmrecun.rng import Seed

GROUPS = np.arange(64) % 8


def nearest_centre(features: np.ndarray) -> float:
    """Share of the second half that lies nearest to the mean, in the first half, of its own group."""
    half = len(GROUPS) // 2
    centres = np.stack([features[:half][GROUPS[:half] == group].mean(axis=0) for group in range(8)])
    distances = ((features[half:, None] - centres[None]) ** 2).sum(axis=2)
    return float((distances.argmin(axis=1) == GROUPS[half:]).mean())


def test_sounds_show_the_group():
    rng = np.random.default_rng(0)
    sounds = [Sound(sound_of(int(group), rng), 16_000) for group in GROUPS]
    assert nearest_centre(LogMel().encode(sounds)) > 0.9


def test_pictures_show_the_group():
    rng = np.random.default_rng(0)
    pictures = [picture_of(int(group), rng).mean(axis=(0, 1)) for group in GROUPS]  # colour alone
    assert nearest_centre(np.stack(pictures)) > 0.9


def test_words_are_those_of_the_group_and_the_same_seed_writes_the_same(tmp_path: Path):
    ids = [f"i{row}" for row in range(64)]
    for name in ("a", "b"):
        write_words(ids, GROUPS, tmp_path / name, Seed(1))
    table = pl.read_parquet(tmp_path / "a")
    assert table.equals(pl.read_parquet(tmp_path / "b"))
    words = [set(text.replace(".", " ").replace(",", " ").replace(":", " ").split()) for text in table["description"]]
    common = {"A", "tale", "of", "and", "a", "story", "with", "In", "this", "film", "meets", "then"}
    for one in range(8):
        for other in range(8):
            if GROUPS[one] != GROUPS[other]:
                assert not (words[one] & words[other]) - common
