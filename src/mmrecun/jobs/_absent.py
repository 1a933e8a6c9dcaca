"""Ids in a request that a run does not have: unknown, or already forgotten."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO

import numpy as np

from mmrecun import runs
from mmrecun.arrays import Bools
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import read_key
from mmrecun.jobs._foreign import opened
from mmrecun.runs import PathLike, Run
from mmrecun.text import preview

Named = tuple[str, ...] | tuple[tuple[str, str], ...]
_HOW = "--ignore-unknown forgets the others"
_NOUNS = {"users": "user", "items": "item", "pairs": "pair"}


@dataclass(frozen=True)
class Absent:
    """The parts of a request that a run does not have.

    Attributes:
        unknown: users, items and pairs that neither the run nor what it came from is known to have had; only kinds
            that there are.
        forgotten: those that were forgotten before.
    """

    unknown: Mapping[str, Named] = field(default_factory=dict)
    forgotten: Mapping[str, Named] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Describe what is absent, one line for each kind, naming the first few."""
        states = (("unknown", self.unknown), ("already forgotten", self.forgotten))
        return [
            f"{state}: {len(named):,} {_NOUNS[kind]}{'' if len(named) == 1 else 's'}, {preview(map(_word, named))}"
            for state, kinds in states
            for kind, named in kinds.items()
        ]


def absent_table(absent: Absent) -> str:
    """Return everything that is absent as CSV, one a line: kind, user, item and state."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "user", "item", "state"])
    for state, kinds in (("unknown", absent.unknown), ("already forgotten", absent.forgotten)):
        for kind, named in kinds.items():
            for name in named:
                cells = name if isinstance(name, tuple) else (name, "") if kind == "users" else ("", name)
                writer.writerow([_NOUNS[kind], *cells, state])
    return text.getvalue()


def _word(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else f"({', '.join(name)})"


def present_part(run: Run | PathLike, request: ForgetRequest, key: bytes | None = None) -> tuple[ForgetRequest, Absent]:
    """Return the part of `request` that a run has, and what it does not have.

    Args:
        run: a run or its folder.
        request: what is to be forgotten.
        key: under which the run keeps what it was asked for; that of the environment by default.

    Raises:
        ForgetError: when nothing is left to forget.
    """
    asked = opened(run)
    absent = absent_of(asked, request, key)
    narrowed = _without(request, absent)
    if narrowed.empty() and not request.empty():
        raise ForgetError(f"nothing is left to forget; {'; '.join(absent.lines())}")
    return narrowed, absent


def _without(request: ForgetRequest, absent: Absent) -> ForgetRequest:
    """Return what is left of a request without what is absent."""
    gone = {kind: {*absent.unknown.get(kind, ()), *absent.forgotten.get(kind, ())} for kind in _NOUNS}
    kept = {kind: tuple(name for name in getattr(request, kind) if name not in gone[kind]) for kind in _NOUNS}
    modalities = {
        name: None if items is None else tuple(item for item in items if item not in gone["items"])
        for name, items in request.modalities.items()
    }
    left = {name: items for name, items in modalities.items() if items is None or items}
    return ForgetRequest(**kept, modalities=left)


def explain(run: Run, request: ForgetRequest, error: ForgetError, key: bytes | None = None) -> ForgetError:
    """Return a refusal that says what was forgotten already, where that is the reason, and how to go on without it.

    Where nothing is absent, it is `error` as it is.
    """
    absent = absent_of(run, request, key)
    if not (absent.forgotten or absent.unknown):
        return error
    said = "; ".join(absent.lines()) if absent.forgotten else str(error)
    return ForgetError(said if _without(request, absent).empty() else f"{said}; {_HOW}")


def absent_of(run: Run, request: ForgetRequest, key: bytes | None = None) -> Absent:
    """Return what `run` does not have of `request`.

    Hashes of earlier requests are searched first, then the runs it descends from.
    """
    lost = _lacking(run.dataset, request)
    earlier = {kind: set[object]() for kind in _NOUNS}
    for test in _memories(run, key or read_key()):
        for kind, named in lost.items():
            left = [name for name in named if name not in earlier[kind]]
            if left:
                earlier[kind] |= {name for name, there in zip(left, test(kind, left), strict=True) if there}
    return Absent(
        _some({kind: tuple(name for name in named if name not in earlier[kind]) for kind, named in lost.items()}),
        _some({kind: tuple(name for name in named if name in earlier[kind]) for kind, named in lost.items()}),
    )


def _some(kinds: Mapping[str, tuple[object, ...]]) -> dict[str, Named]:
    return {kind: named for kind, named in kinds.items() if named}  # type: ignore[misc]


def _lacking(data: Dataset, request: ForgetRequest) -> dict[str, list[object]]:
    """Return the users, items and pairs of a request that a dataset lacks, each once, in order."""
    listed = [*request.items, *(item for items in request.modalities.values() for item in items or ())]
    found: dict[str, list[object]] = {}
    for kind, names, there in (
        ("users", request.users, _known(data.users, request.users)),
        ("items", listed, _known(data.items, listed)),
        ("pairs", request.pairs, has_pairs(data, request.pairs)),
    ):
        missing = [name for name, known in zip(names, there, strict=True) if not known]
        if missing:
            found[kind] = list(dict.fromkeys(missing))
    return found


def _known(ids: IdMap, names: Iterable[str]) -> Bools:
    there: Bools = ids.find(list(names)) >= 0
    return there


def has_pairs(data: Dataset, pairs: Iterable[tuple[str, str]]) -> Bools:
    """Say which of N pairs of ids are interactions of `data`: bool [N]."""
    listed = list(pairs)
    users, items = data.users.find([user for user, _ in listed]), data.items.find([item for _, item in listed])
    there: Bools = (users >= 0) & (items >= 0)
    return there & data.interactions.contains(users, items, len(data.items)) if listed else there


class _Hashes:
    """What a run keeps of earlier requests, under a key."""

    def __init__(self, run: Run, key: bytes | None) -> None:
        self.record = run.manifest.requested.with_key(key) if run.manifest.requested else None

    def __call__(self, kind: str, names: list[object]) -> Bools:
        """Say which of N names were requested before: bool [N]."""
        asked = self.record
        if asked is None or not asked.readable:
            return np.zeros(len(names), dtype=bool)
        if kind == "pairs":
            users, items = zip(*names, strict=True)
            whole: Bools = asked.pairs_in(users, items) | asked.users_in(users) | asked.items_in(items)
            return whole
        return asked.users_in(map(str, names)) if kind == "users" else asked.items_in(map(str, names))


class _Ancestor:
    """The dataset of a run that another one was unlearned from."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def __call__(self, kind: str, names: list[object]) -> Bools:
        """Say which of N names it has: bool [N]."""
        if kind == "pairs":
            return has_pairs(self.data, names)  # type: ignore[arg-type]
        return _known(self.data.users if kind == "users" else self.data.items, map(str, names))


def _memories(run: Run, key: bytes | None) -> Iterator[_Hashes | _Ancestor]:
    yield _Hashes(run, key)
    folder, manifest = run.folder, run.manifest
    while manifest.parent is not None:
        folder = (folder / manifest.parent.path).resolve()
        try:
            manifest = runs.read_manifest(folder)
            yield _Ancestor(files.load((folder / manifest.dataset.path).resolve()))
        except MMRecUnError:  # it may have been removed
            return
