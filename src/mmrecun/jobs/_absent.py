"""Ids in a request that a run does not have: unknown, or already forgotten."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import polars as pl

from mmrecun.arrays import Bools
from mmrecun.chunked.lineage import ReadMapped, ancestors
from mmrecun.chunked.run import MappedRun
from mmrecun.data.dataset import Dataset
from mmrecun.data.references import Mention, RemovedIds, mentions
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import read_key
from mmrecun.jobs._foreign import ForeignRun, opened
from mmrecun.jobs._known_ids import InChunks, InDataset, KnownIds, earlier_ids, requested_ids
from mmrecun.jobs._part_reader import HERE, reader
from mmrecun.runs import PathLike, Run
from mmrecun.text import counted, listing, preview

Names = tuple[str, ...] | tuple[tuple[str, str], ...]
Name = TypeVar("Name")
_HINT = "--ignore-unknown forgets the others"
_NOUNS = {"users": "user", "items": "item", "pairs": "pair"}


@dataclass(frozen=True)
class Absent:
    """The parts of a request that a run does not have.

    Attributes:
        unknown: kind -> users, items or pairs that neither the run nor its ancestors are known to have had.
        forgotten: kind -> those that were forgotten before.
        mentions: where attributes hold unknown ids, such as those of an uploader who is no user.
        rows: unknown ids that have a row in a model of another library, but no pair in its data.
    """

    unknown: Mapping[str, Names] = field(default_factory=dict)
    forgotten: Mapping[str, Names] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()
    rows: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Describe what is absent, one line for each kind, naming the first few."""
        states = (("unknown", self.unknown), ("already forgotten", self.forgotten))
        return [
            f"{state}: {counted(len(named), _NOUNS[kind])}, {preview(map(_written, named))}"
            for state, kinds in states
            for kind, named in kinds.items()
        ]

    def mentioned(self) -> str:
        """Describe where unknown ids stand all the same, in attributes and in a model's rows; "" where they do not."""
        places = [f"{counted(mention.rows, 'row')} of {mention.table}.{mention.column}" for mention in self.mentions]
        where = "correct the column, or forget these rows with --where"
        found = [f"unknown ids stand in {listing(places)}: {where}"] if places else []
        if self.rows:
            model = "a row in the model, but no pair in the data: give the data that it was trained on"
            found.append(f"unknown ids have {model}: {preview(self.rows)}")
        return "; ".join(found)


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


def _written(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else f"({', '.join(name)})"


def present_part(run: Run | PathLike, request: ForgetRequest, key: bytes | None = None) -> tuple[ForgetRequest, Absent]:
    """Return the part of `request` that a run has, and what it does not have.

    Args:
        run: a run or its folder.
        request: what is to be forgotten.
        key: key of the run's hashes of earlier requests; that of the environment by default.

    Raises:
        ForgetError: when nothing is left to forget.
    """
    return _narrowed(request, absent_of(opened(run), request, key))


def present_part_mapped(
    run: PathLike, request: ForgetRequest, on: str = HERE, key: bytes | None = None
) -> tuple[ForgetRequest, Absent]:
    """Do as `present_part` for a run in chunks, whole or in parts; `on` names the hosts that have the parts."""
    return _narrowed(request, absent_of_mapped(run, request, on, key))


def _narrowed(request: ForgetRequest, absent: Absent) -> tuple[ForgetRequest, Absent]:
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
    """Return an error that names what was forgotten before, if that is the cause, and the option that skips it.

    Where nothing is absent, it is `error` itself.
    """
    return _explained(absent_of(run, request, key), request, error)


def explain_mapped(
    read: ReadMapped, run: MappedRun, request: ForgetRequest, error: ForgetError, key: bytes | None
) -> ForgetError:
    """Do as `explain` for a run in chunks; `read` reads the runs that it descends from."""
    return _explained(_absent_of_mapped(read, run, request, key), request, error)


def forgotten_user(absent: Absent, error: DataError) -> DataError:
    """Return an error that says so if an unknown user was forgotten before; otherwise `error` itself."""
    return DataError("; ".join(absent.lines())) if absent.forgotten else error


def _explained(absent: Absent, request: ForgetRequest, error: ForgetError) -> ForgetError:
    if not (absent.forgotten or absent.unknown):
        return error
    message = "; ".join(absent.lines()) if absent.forgotten else str(error)
    message += f"; {mentioned}" if (mentioned := absent.mentioned()) else ""
    return ForgetError(message if _without(request, absent).empty() else f"{message}; {_HINT}")


def absent_of(run: Run, request: ForgetRequest, key: bytes | None = None) -> Absent:
    """Return what `run` does not have of `request`.

    Hashes of earlier requests are searched first, then the runs it descends from.
    """
    unknown, forgotten = _absent(request, InDataset(run.dataset), earlier_ids(run, read_key(key)))
    owners = zip((unknown.users, unknown.items), _others(run), strict=True)
    rows = tuple(name for names, others in owners for name in names if name in others)
    return Absent(unknown.by_kind(), forgotten.by_kind(), _mentions(run.dataset, unknown), rows)


def absent_of_mapped(run: PathLike, request: ForgetRequest, on: str = HERE, key: bytes | None = None) -> Absent:
    """Do as `absent_of` for a run in chunks, whole or in parts; `on` names the hosts that have the parts."""
    with reader(on) as read:
        return _absent_of_mapped(read, read(Path(run)), request, read_key(key))


def _absent_of_mapped(read: ReadMapped, run: MappedRun, request: ForgetRequest, key: bytes | None) -> Absent:
    def earlier() -> Iterator[KnownIds]:
        yield from requested_ids(run.manifest.requested, key)
        yield from map(InChunks, ancestors(run, read))

    unknown, forgotten = _absent(request, InChunks(run), earlier())
    return Absent(unknown.by_kind(), forgotten.by_kind())


def _absent(request: ForgetRequest, here: KnownIds, earlier: Iterable[KnownIds]) -> tuple["_Ids", "_Ids"]:
    """Return what is not `here`: that which nothing `earlier` knows, and that which something does."""
    missing = _Ids.of(request).unknown_to(here)
    unknown = missing
    for known in earlier if any(missing) else ():
        unknown = unknown.unknown_to(known)
        if not any(unknown):
            break
    return unknown, missing.without(unknown)


def _others(run: Run) -> tuple[frozenset[str], frozenset[str]]:
    return run.foreign.row_map.others if isinstance(run, ForeignRun) else (frozenset(), frozenset())


def _mentions(data: Dataset, unknown: "_Ids") -> tuple[Mention, ...]:
    names = (pl.Series(ids, dtype=pl.String) for ids in (unknown.users, unknown.items))
    return tuple(found for found in mentions(data, RemovedIds(data, *names)) if not found.plain)


class _Ids(NamedTuple):
    """Users, items and pairs of ids, each once, in order."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: ForgetRequest) -> Self:
        """Return what a request names, with the items that are to lose a modality."""
        items = [*request.items, *(item for items in request.modalities.values() for item in items or ())]
        return cls(_once(request.users), _once(items), _once(request.pairs))

    def unknown_to(self, known: KnownIds) -> Self:
        """Return the parts that `known` does not have."""
        users, items, pairs = self
        return type(self)(
            _unknown(users, known.users_in), _unknown(items, known.items_in), _unknown(pairs, known.pairs_in)
        )

    def without(self, others: Self) -> Self:
        """Return what is not among `others`."""
        left = _left(self.users, others.users), _left(self.items, others.items), _left(self.pairs, others.pairs)
        return type(self)(*left)

    def by_kind(self) -> dict[str, Names]:
        """Return kind -> names, of the kinds that there are."""
        return {kind: names for kind, names in self._asdict().items() if names}


def _once(names: Iterable[Name]) -> tuple[Name, ...]:
    return tuple(dict.fromkeys(names))


def _left(names: tuple[Name, ...], others: tuple[Name, ...]) -> tuple[Name, ...]:
    out = set(others)
    return tuple(name for name in names if name not in out)


def _unknown(names: tuple[Name, ...], known: Callable[[tuple[Name, ...]], Bools]) -> tuple[Name, ...]:
    return tuple(name for name, there in zip(names, known(names), strict=True) if not there) if names else ()
