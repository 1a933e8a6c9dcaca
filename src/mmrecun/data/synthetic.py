"""Synthetic data with known ground truth: tastes, long-tailed popularity, and modalities that reveal part of them.

The ground truth is returned with the dataset, for tests that real data does not allow.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt

from mmrecun.arrays import Floats, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.modality import Modality, Provenance
from mmrecun.data.splits import random_split
from mmrecun.rng import Seed
from mmrecun.settings import Settings

_CATEGORIES = ("Drama", "Comedy", "Nature", "Sport", "Music", "Travel", "Cooking", "Science", "Craft", "History")
_ADJECTIVES = ("Quiet", "Bright", "Hidden", "Golden", "Wild", "Last", "Silver", "Early", "Distant", "Little")
_NOUNS = ("Harbour", "Garden", "Letter", "Mountain", "Season", "Window", "River", "Lantern", "Journey", "Orchard")
_LICENSORS = ("Aurora Media", "Bluefin Pictures", "Cobalt Studios", "Delta Archive", "Ember House")


class SyntheticConfig(Settings):
    """Sizes and shape of a synthetic dataset."""

    users: PositiveInt = Field(default=600, description="number of users (U)")
    items: PositiveInt = Field(default=400, description="number of items (I)")
    interactions: PositiveInt = Field(default=9000, description="pairs to aim for, over all splits")
    groups: PositiveInt = Field(default=8, description="groups of taste; an item belongs to one, a user likes two")
    modalities: tuple[str, ...] = Field(
        default=("image", "audio"), description="names of the modalities; each shows some of the groups"
    )
    width: PositiveInt = Field(default=24, description="features of every modality (F)")
    missing: float = Field(default=0.05, ge=0, lt=1, description="share of the items that lack a modality")
    noise: float = Field(
        default=0.6, ge=0, description="standard deviation of the feature noise, in units of a group's own signal"
    )
    focus: float = Field(
        default=0.85, ge=0, le=1, description="share of a user's choices that follow taste instead of popularity alone"
    )


@dataclass(frozen=True)
class Truth:
    """The planted ground truth.

    Attributes:
        item_groups: int64 [I], the group of each item.
        user_groups: int64 [U, 2], the groups each user likes.
        popularity: float32 [I], the long-tailed weight of each item.
        visible: modality -> bool [groups], the groups that its features distinguish.
    """

    item_groups: Ints
    user_groups: Ints
    popularity: Floats
    visible: dict[str, np.ndarray]


def make(config: SyntheticConfig, seed: Seed) -> tuple[Dataset, Truth]:
    """Return a dataset and its ground truth; the same seed gives the same bits.

    The m-th of M modalities distinguishes group g if g modulo M differs from m (with one modality: always), and gives
    all other groups the same features. So each modality reveals part of the taste, and all together reveal it.
    """
    rng = seed.child("tastes").numpy()
    item_groups = rng.permutation(np.arange(config.items) % config.groups)
    user_groups = np.argsort(rng.random((config.users, config.groups)), axis=1)[:, :2]
    if config.groups == 1:
        user_groups = np.zeros((config.users, 2), dtype=np.int64)
    popularity = rng.permutation(1.0 / np.arange(3, config.items + 3) ** 0.8).astype(np.float32)
    total = len(config.modalities)
    turns = np.arange(config.groups) % max(total, 1)
    visible = {name: (turns != m) | (total == 1) for m, name in enumerate(config.modalities)}
    truth = Truth(item_groups, user_groups, popularity, visible)
    dataset = Dataset(
        name="synthetic",
        users=IdMap.of("user", (f"u{row:05d}" for row in range(config.users))),
        items=IdMap.of("item", (f"i{row:05d}" for row in range(config.items))),
        interactions=_interactions(config, truth, seed),
        modalities={name: _modality(config, name, truth, seed.child(name)) for name in config.modalities},
        user_attributes=_user_attributes(config.users, seed.child("people").numpy()),
        item_attributes=_item_attributes(item_groups, seed.child("titles").numpy()),
    )
    return dataset, truth


def _interactions(config: SyntheticConfig, truth: Truth, seed: Seed) -> Interactions:
    rng = seed.child("choices").numpy()
    activity = rng.lognormal(0.0, 0.6, config.users)
    counts = np.maximum(5, np.rint(activity / activity.sum() * config.interactions)).astype(np.int64)
    counts = np.minimum(counts, config.items // 2)
    users = np.repeat(np.arange(config.users), counts * 3)
    liked = truth.user_groups[users, rng.integers(0, 2, len(users))]
    by_taste = rng.random(len(users)) < config.focus
    items = _popular(truth.popularity, rng, len(users))
    for group in range(config.groups):
        at = np.flatnonzero(by_taste & (liked == group))
        members = np.flatnonzero(truth.item_groups == group)
        if len(members):
            items[at] = members[_popular(truth.popularity[members], rng, len(at))]
    _, first = np.unique(users * config.items + items, return_index=True)
    first.sort()
    users, items = users[first], items[first]
    starts = np.searchsorted(users, users)
    kept = np.arange(len(users)) - starts < counts[users]
    users, items = users[kept], items[kept]
    timestamps = 1_600_000_000 + rng.integers(0, 63_072_000, len(users))
    splits = random_split(users, seed.child("splits"))
    return Interactions(users, items, splits, pl.DataFrame({"timestamp": timestamps}))


def _popular(weights: Floats, rng: np.random.Generator, size: int) -> Ints:
    drawn: Ints = np.searchsorted(np.cumsum(weights), rng.random(size) * weights.sum()).clip(max=len(weights) - 1)
    return drawn


def _modality(config: SyntheticConfig, name: str, truth: Truth, seed: Seed) -> Modality:
    rng = seed.numpy()
    centres = rng.standard_normal((config.groups + 1, config.width))
    shown = np.where(truth.visible[name][truth.item_groups], truth.item_groups, config.groups)
    features = centres[shown] + config.noise * rng.standard_normal((config.items, config.width))
    present = rng.random(config.items) >= config.missing
    features[~present] = 0
    provenance = Provenance(encoder="planted", licence="CC0-1.0", owner="synthetic")
    return Modality(name, features.astype(np.float32), present, provenance)


def _item_attributes(groups: Ints, rng: np.random.Generator) -> pl.DataFrame:
    size = len(groups)
    adjectives, nouns = rng.integers(0, 10, size), rng.integers(0, 10, size)
    return pl.DataFrame(
        {
            "title": [
                f"{_ADJECTIVES[a]} {_NOUNS[n]} {row}" for row, (a, n) in enumerate(zip(adjectives, nouns, strict=True))
            ],
            "category": [_CATEGORIES[group % 10] + ("" if group < 10 else f" {group // 10 + 1}") for group in groups],
            "licensor": [_LICENSORS[number] for number in rng.integers(0, len(_LICENSORS), size)],
            "year": rng.integers(1990, 2025, size),
        }
    )


def _user_attributes(size: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame({"country": [("AT", "BR", "CA", "DE", "IN")[number] for number in rng.integers(0, 5, size)]})
