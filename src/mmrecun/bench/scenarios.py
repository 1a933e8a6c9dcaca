"""One forget request of a bench: target, strategy and size, resolved for a dataset by one seed."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from mmrecun.arrays import Bools, Ints
from mmrecun.bench.spam import inject
from mmrecun.bench.strategies import largest_rows, quarters, random_rows, sensitive_pairs, smallest_rows
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ForgetError
from mmrecun.forget.parsing import add_matching, read_ids
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed
from mmrecun.settings import Settings
from mmrecun.text import counted, unknown_name


class RequestTarget(StrEnum):
    """Kinds of data that a request of a bench forgets."""

    USERS = "users"
    ITEMS = "items"
    PAIRS = "pairs"
    MODALITY = "modality"


class Strategy(StrEnum):
    """Rules by which the forgotten data are chosen."""

    RANDOM = "random"
    MOST_ACTIVE = "most-active"
    LEAST_ACTIVE = "least-active"
    HEAD = "head"
    TAIL = "tail"
    WHERE = "where"
    SENSITIVE = "sensitive"
    SPAM = "spam"
    SEQUENCE = "sequence"


_ITEMS = (RequestTarget.ITEMS, RequestTarget.MODALITY)
_FITS: dict[Strategy, tuple[RequestTarget, ...]] = {
    Strategy.RANDOM: tuple(RequestTarget),
    Strategy.MOST_ACTIVE: (RequestTarget.USERS,),
    Strategy.LEAST_ACTIVE: (RequestTarget.USERS,),
    Strategy.HEAD: _ITEMS,
    Strategy.TAIL: _ITEMS,
    Strategy.WHERE: tuple(RequestTarget),
    Strategy.SENSITIVE: (RequestTarget.PAIRS,),
    Strategy.SPAM: (RequestTarget.USERS,),
    Strategy.SEQUENCE: (RequestTarget.USERS,),
}
_NEEDS = {Strategy.WHERE: "where", Strategy.SENSITIVE: "items", Strategy.SEQUENCE: "requests"}
_ONLY_FOR = {
    "where": Strategy.WHERE,
    "items": Strategy.SENSITIVE,
    "requests": Strategy.SEQUENCE,
    "promoted": Strategy.SPAM,
}
_WITHOUT_RATIO = (Strategy.WHERE, Strategy.SEQUENCE)
_TABLES = {
    RequestTarget.USERS: "users",
    RequestTarget.ITEMS: "items",
    RequestTarget.PAIRS: "pairs",
    RequestTarget.MODALITY: "items",
}


def _numbers_as_ids(value: object) -> object:
    """Return a list of ids with whole numbers as text."""
    if not isinstance(value, list | tuple):
        return value
    return [str(entry) if isinstance(entry, int) and not isinstance(entry, bool) else entry for entry in value]


class RequestSpec(Settings):
    """A request of a bench.

    Attributes:
        target, strategy: see `RequestTarget` and `Strategy`.
        ratio: share of the users, items or pairs with training pairs; for a modality, of the items that have it (1 for
            all of it); for `sensitive`, of the users that have a listed item; for `spam`, spam users per genuine one.
        modality: the modality to forget.
        where: attribute expression that selects what is forgotten.
        items: ids of the sensitive items, or a file with one a line.
        requests: single-user requests of a sequence, evaluated after each quarter.
        promoted: items that spam promotes.
        name: label of its rows; made from the above by default.
    """

    target: RequestTarget
    strategy: Strategy = Strategy.RANDOM
    ratio: float | None = Field(default=None, gt=0, le=1)
    modality: str | None = None
    where: str | None = None
    items: Annotated[tuple[str, ...] | Path | None, BeforeValidator(_numbers_as_ids)] = None
    requests: PositiveInt | None = None
    promoted: PositiveInt | None = None
    name: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        strategy, target = self.strategy, self.target
        if target not in _FITS[strategy]:
            fitting = [name for name, targets in _FITS.items() if target in targets]
            raise ValueError(
                f"strategy '{strategy}' cannot choose {target}; for {target} there are: {', '.join(fitting)}"
            )
        needed = [_NEEDS[strategy]] if strategy in _NEEDS else []
        needed += ["modality"] if target is RequestTarget.MODALITY else []
        needed += [] if strategy in _WITHOUT_RATIO else ["ratio"]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"{target} by '{strategy}' need '{name}'")
        useless = [name for name, only in _ONLY_FOR.items() if only is not strategy]
        useless += [] if target is RequestTarget.MODALITY else ["modality"]
        useless += ["ratio"] if strategy in _WITHOUT_RATIO else []
        for name in useless:
            if getattr(self, name) is not None:
                raise ValueError(f"{target} by '{strategy}' have no use for '{name}'")
        return self

    @property
    def label(self) -> str:
        """The label of its rows."""
        if self.name:
            return self.name
        what = self.modality or self.target
        size = f" {self.ratio:.3g}" if self.ratio is not None else f" {self.requests}" if self.requests else ""
        return f"{what} {self.strategy}{size}" + (f" {self.where}" if self.where else "")


@dataclass(frozen=True)
class Scenario:
    """A request resolved for a dataset.

    Attributes:
        dataset: dataset on which the Original is trained.
        steps: requests to make one after another; most scenarios have one.
        checkpoints: numbers of steps after which there is an evaluation.
        ratio: share that all steps together remove, as stated or, without a stated one, as counted.
    """

    dataset: Dataset
    steps: tuple[ForgetRequest, ...]
    checkpoints: tuple[int, ...] = (1,)
    ratio: float = 0.0

    def until(self, checkpoint: int) -> ForgetRequest:
        """Return the first `checkpoint` steps as one request."""
        if checkpoint == 1:
            return self.steps[0]
        return ForgetRequest(users=tuple(user for step in self.steps[:checkpoint] for user in step.users))


def resolve(spec: RequestSpec, dataset: Dataset, seed: Seed, base: Path = Path()) -> Scenario:
    """Resolve `spec` for `dataset`; the same seed gives the same scenario.

    Args:
        spec: target, strategy and size.
        dataset: the data, without spam.
        seed: random seed of the draw.
        base: folder that a file of sensitive items is relative to.

    Raises:
        ForgetError: when the dataset lacks what is named, nothing is chosen, or no training pair would be left.
        DataError: when the dataset is too small for the strategy.
    """
    scenario = _resolved(spec, dataset, seed, base)
    Partition.from_request(scenario.dataset, scenario.until(scenario.checkpoints[-1]))
    return scenario


def _resolved(spec: RequestSpec, dataset: Dataset, seed: Seed, base: Path) -> Scenario:
    match spec.strategy:
        case Strategy.WHERE:
            return _scenario_by_attribute(spec, dataset)
        case Strategy.SENSITIVE:
            return _sensitive(spec, dataset, seed, base)
        case Strategy.SPAM:
            spoilt, users, _ = inject(dataset, spec.ratio or 0, spec.promoted or 10, seed)
            return Scenario(spoilt, (ForgetRequest(users=users),), ratio=spec.ratio or 0)
        case Strategy.SEQUENCE:
            return _sequence(spec, dataset, seed)
    candidates = _candidates(spec, dataset)
    return Scenario(
        dataset, (_request_for(spec, dataset, _draw_rows(spec, dataset, candidates, seed)),), ratio=spec.ratio or 0
    )


def _draw_rows(spec: RequestSpec, dataset: Dataset, candidates: Ints, seed: Seed) -> Ints:
    ratio = spec.ratio or 0
    if spec.strategy is Strategy.RANDOM:
        return random_rows(candidates, ratio, seed)
    counts = dataset.degrees[0 if spec.target is RequestTarget.USERS else 1]
    pick = largest_rows if spec.strategy in (Strategy.MOST_ACTIVE, Strategy.HEAD) else smallest_rows
    return pick(candidates, counts, ratio, seed)


def _candidates(spec: RequestSpec, dataset: Dataset) -> Ints:
    """Return the rows to choose from: users, items or training pairs; for a modality the items that have it."""
    if spec.target is RequestTarget.USERS:
        return np.unique(dataset.train.users)
    if spec.target is RequestTarget.ITEMS:
        return np.unique(dataset.train.items)
    if spec.target is RequestTarget.PAIRS:
        return np.arange(len(dataset.train))
    return np.flatnonzero(_present(spec, dataset))


def _present(spec: RequestSpec, dataset: Dataset) -> Bools:
    name = spec.modality or ""
    if name not in dataset.modalities:
        raise ForgetError(unknown_name("modality", name, list(dataset.modalities)))
    return dataset.modalities[name].present


def _request_for(spec: RequestSpec, dataset: Dataset, rows: Ints) -> ForgetRequest:
    if spec.target is RequestTarget.USERS:
        return ForgetRequest(users=tuple(dataset.users.names.gather(rows)))
    if spec.target is RequestTarget.ITEMS:
        return ForgetRequest(items=tuple(dataset.items.names.gather(rows)))
    if spec.target is RequestTarget.PAIRS:
        return _pairs(dataset, dataset.train.users[rows], dataset.train.items[rows])
    whole = len(rows) == int(_present(spec, dataset).sum())
    return ForgetRequest(modalities={spec.modality or "": None if whole else tuple(dataset.items.names.gather(rows))})


def _pairs(dataset: Dataset, users: Ints, items: Ints) -> ForgetRequest:
    names = zip(dataset.users.names.gather(users), dataset.items.names.gather(items), strict=True)
    return ForgetRequest(pairs=tuple(names))


def _scenario_by_attribute(spec: RequestSpec, dataset: Dataset) -> Scenario:
    found, _ = add_matching(ForgetRequest(), dataset, spec.where or "")
    named = {"users": found.users, "items": found.items, "pairs": found.pairs}
    table = _TABLES[spec.target]
    if not named[table]:
        other = next(name for name, entries in named.items() if entries)
        raise ForgetError(f"where {spec.where}: selects {other}, but the target is {spec.target}")
    if spec.target is RequestTarget.MODALITY:
        rows = dataset.items.rows(found.items)
        rows = rows[_present(spec, dataset)[rows]]
        if not len(rows):
            raise ForgetError(f"where {spec.where}: none of these items has the modality '{spec.modality}'")
        return Scenario(
            dataset, (_request_for(spec, dataset, rows),), ratio=len(rows) / int(_present(spec, dataset).sum())
        )
    sizes = {"users": len(dataset.users), "items": len(dataset.items), "pairs": len(dataset.interactions)}
    return Scenario(dataset, (found,), ratio=len(named[table]) / sizes[table])


def _sensitive(spec: RequestSpec, dataset: Dataset, seed: Seed, base: Path) -> Scenario:
    listed = read_ids(base / spec.items, "item", dataset.items) if isinstance(spec.items, Path) else spec.items or ()
    mask = np.zeros(len(dataset.items), dtype=bool)
    rows = dataset.items.find(listed)
    if (rows < 0).any():
        unknown = listed[int(np.flatnonzero(rows < 0)[0])]
        raise ForgetError(f"the sensitive item '{unknown}' is not in '{dataset.name}'")
    mask[rows] = True
    pairs = dataset.interactions
    chosen = sensitive_pairs(pairs.users, pairs.items, mask, spec.ratio or 0, seed)
    if not (chosen & (pairs.splits == 0)).any():
        raise ForgetError(f"no training pair of '{dataset.name}' is withdrawn: too few users have the sensitive items")
    return Scenario(dataset, (_pairs(dataset, pairs.users[chosen], pairs.items[chosen]),), ratio=spec.ratio or 0)


def _sequence(spec: RequestSpec, dataset: Dataset, seed: Seed) -> Scenario:
    count = spec.requests or 0
    users = np.unique(dataset.train.users)
    if count >= len(users):
        raise ForgetError(
            f"'{dataset.name}' has {counted(len(users), 'user')} with training pairs, too few for {count} requests"
        )
    order = seed.numpy().permutation(users)[:count]
    steps = tuple(ForgetRequest(users=(name,)) for name in dataset.users.names.gather(order))
    return Scenario(dataset, steps, quarters(count), count / len(users))
