"""The trials of the verdict: which models on which data, and the requests that are made to them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed


@dataclass(frozen=True)
class Trial:
    """A model on a dataset, and the requests that are made to it.

    Attributes:
        data: name, or a dataset folder.
        model: name.
        requests: see `request`.
        golds: of each request.
        faked: the requests that fakes are made of, too.
        settings: of the training, where they are not the defaults.
    """

    data: str
    model: str
    requests: tuple[str, ...]
    golds: int
    faked: tuple[str, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)


BABY = {"learning_rate": 3e-3, "patience": 8, "patience_steps": 0}
CITEULIKE = {"learning_rate": 1e-2, "patience": 8, "patience_steps": 0}
ALL = ("users5", "items5", "pairs5")
GRID = (
    Trial("ml100k", "bprmf", (*ALL, "active2"), 5, (*ALL, "active2")),
    Trial("baby", "bprmf", ALL, 5, ALL),
    Trial("citeulike", "bprmf", ALL, 5, ALL),
    Trial("ml100k", "vbpr", ("users5", "feattext-20"), 4, ("users5", "feattext-20")),
    Trial("tiktok", "vbpr", ("users5", "items5", "feataudio-20"), 4, ("users5", "feataudio-20")),
    Trial("ml100k", "lightgcn", ALL, 3, ("users5",)),
    Trial("baby", "lightgcn", ALL, 3, ("items5",), BABY),
    Trial("citeulike", "lightgcn", ALL, 2, (), CITEULIKE),
    Trial("tiktok", "mgcn", (*ALL, "feataudio-20"), 2),
)
DRAW = 5  # seed of the requests that were looked at while `mmrecun` was made


def request(dataset: Dataset, name: str, seed: Seed, half: bool = False) -> ForgetRequest:
    """Return a share, in per cent, of users, items, training pairs or a modality's items.

    Users may be the most active ones, items the most popular ones. With `half`, the first half of the same draw.

    Args:
        dataset: to draw from.
        name: such as `users5`, `active2`, `popular0.01`, or `feataudio-20` for the audio of a fifth of the items;
            `nearaudio-20` chooses them for having a near-duplicate that keeps its audio, `median0.01` a user of median
            activity.
        seed: of the draw.
        half: whether to take half of it.
    """
    kind, modality, percent = re.fullmatch(r"([a-z]+?)(?:(?<=feat|near)([a-z]+)-)?([\d.]+)", name).groups()
    train, ratio, rng = dataset.train, float(percent) / 100, seed.child(name).numpy()
    users, items = np.unique(train.users), np.unique(train.items)

    def drawn(rows: np.ndarray) -> np.ndarray:
        chosen = rng.choice(rows, max(1, round(ratio * len(rows))), replace=False)
        return np.sort(chosen[: len(chosen) // 2] if half else chosen)

    if kind == "pairs":
        rows = drawn(np.arange(len(train)))
        names = dataset.users.names.gather(train.users[rows]), dataset.items.names.gather(train.items[rows])
        return ForgetRequest(pairs=tuple(zip(*names, strict=True)))

    def most(degree: np.ndarray) -> np.ndarray:
        chosen = np.argsort(-degree, kind="stable")[: max(1, round(ratio * len(degree)))]
        return chosen[: len(chosen) // 2] if half else chosen

    if kind in ("users", "active", "median"):
        degree = dataset.degrees[0]
        far = np.where(degree > 0, np.abs(degree - np.median(degree[users])), np.inf)
        rows = drawn(users) if kind == "users" else most(degree if kind == "active" else -far)
        return ForgetRequest(users=tuple(dataset.users.names.gather(rows)))
    if kind in ("items", "popular"):
        rows = drawn(items) if kind == "items" else most(dataset.degrees[1])
        return ForgetRequest(items=tuple(dataset.items.names.gather(rows)))
    carriers = np.intersect1d(np.flatnonzero(dataset.modalities[modality].present), items)
    if kind == "near":
        rows = carriers[with_near_duplicate(dataset.modalities[modality].features[carriers], ratio)]
    else:
        rows = drawn(carriers)
    return ForgetRequest(modalities={modality: tuple(dataset.items.names.gather(rows))})


def with_near_duplicate(features: np.ndarray, ratio: float) -> np.ndarray:
    """Choose a share of the rows of [I, F], those most like one that is not chosen, by the cosine of centred features.

    >>> with_near_duplicate(np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 1.0], [-1.0, -1.0]]), 0.25).tolist()
    [0]
    """
    centred = features.astype(np.float32) - features.astype(np.float32).mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9)
    cosines = centred @ centred.T
    np.fill_diagonal(cosines, -1)
    nearest, best = cosines.argmax(axis=1), cosines.max(axis=1)
    chosen, others = set[int](), set[int]()
    for row in np.argsort(-best, kind="stable").tolist():
        if len(chosen) == max(1, round(ratio * len(features))):
            break
        if row not in others and int(nearest[row]) not in chosen:
            chosen.add(row)
            others.add(int(nearest[row]))
    return np.array(sorted(chosen), dtype=np.int64)


def trials(only: str, grid: tuple[Trial, ...] = GRID) -> list[tuple[Trial, str]]:
    """Return the requests of the grid whose data, model and name hold the words `only`; all for "".

    Raises:
        SystemExit: when there is none.
    """
    found = [(trial, name) for trial in grid for name in trial.requests if only in f"{trial.data} {trial.model} {name}"]
    if not found:
        raise SystemExit(f"--only {only}: no request of the grid is called so; write it as 'baby bprmf items5'")
    return found
