"""Audit a run in chunks: users and items are drawn, and what ordinary audits measure is measured on them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.auditing.assess import assess
from mmrecun.auditing.keys import CheckName, Question
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport, AuditScope, Check
from mmrecun.chunked.folders import is_mapped
from mmrecun.chunked.lineage import ReadMapped, ancestors, with_unfolded
from mmrecun.chunked.residue import RemovedRows
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.data.interactions import Split
from mmrecun.device import prepared
from mmrecun.errors import ConfigError
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.secret import read_key
from mmrecun.jobs._audit import write_report
from mmrecun.jobs._audit_sample import AuditSample
from mmrecun.jobs._mapped import checked, checked_users
from mmrecun.jobs._part_reader import HERE, reader, users_who_lost_pairs_in
from mmrecun.manifest import now
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike
from mmrecun.text import counted, listing

ASKED, _KINDS = "ids and pairs asked for", ("users", "items", "pairs")
_DETAILS = {
    "vectors": ("the rows of removed users and items are blank", "removed users or items still have a vector"),
    "lists": ("removed users and items are in nobody's list of pairs", "removed users or items still have pairs"),
    "bytes of ids in new chunks": ("no removed id is in a chunk that was written", "a removed id is in a new chunk"),
    "hashes of ids": ("no hash of a removed id is left to find it by", "the hash of a removed id is left"),
    "chunks shared with the run before": (
        "no chunk holds what was forgotten",
        "chunks hold what rows were before, until the run is folded (mmrecun fold) and the runs before are removed",
    ),
}


class MappedAudit(NamedTuple):
    """The report of a run in chunks, and what `check_mapped` returns about it."""

    report: AuditReport
    found: dict[str, Any]


@prepared()
def audit_mapped(
    run: PathLike,
    on: str = HERE,
    users: int | None = None,
    key: bytes | None = None,
    original: PathLike | None = None,
    progress: Progress = no_progress,
) -> MappedAudit:
    """Audit an unlearned run in chunks, and write audit.json and report.html into its folder if it is on this machine.

    The lists, ranks and traits of ordinary audits are measured for drawn users and at most four times as many of those
    who lost pairs. Lists are those of all items; all else is measured on those in lists or pairs and 20,000 others.

    Args:
        run: an unlearned run, whole or in parts.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.
        users: how many are drawn; 0 for all; by default 500, fewer where there are many items.
        key: key of the hashes of the run's request; that of MMRECUN_KEY by default.
        original: folder of the run that it was unlearned from, if that was moved.
        progress: called with the number of ranked users.

    Raises:
        ArtifactError: when the run was trained, its parent is gone, or a chunk is damaged.
        ConfigError: for a `key` that is not that of the run.
    """
    place, begun = Path(run), now()
    with reader(on) as read:
        before, after, found = checked(read, place, None, users, None if original is None else Path(original))
        record = after.manifest.requested
        _refuse_other_key(key, record, place)
        touched = users_who_lost_pairs_in(after, None if original is None else Path(original))
        asked = _asked_check(before, after, found.removed, touched, record and record.with_key(read_key(key)))
        removal = (asked, *_removal(found.facts["residue"]))
        count = checked_users(after.size("items")) if users is None else users
        sample = AuditSample.of(before, after, found.removed, touched, count)
        made = assess(sample.subject(removal), progress=progress)
        still_held = _still_held(read, before, after)
    report = made.model_copy(
        update={
            "made": begun,
            "forgotten": dict(after.manifest.forgotten),
            "digests": _digests(before, after),
            "compared": AuditScope(sample=sample.measured.sampled),
            "notes": (*made.notes, *sample.notes, still_held),
        }
    )
    facts = {**found.facts, "residue": {**found.facts["residue"], ASKED: _as_answer(asked)}}
    if place.is_dir():
        report = write_report(report, place, _page_facts(after), shared=not is_mapped(place))
    return MappedAudit(report, facts)


def _refuse_other_key(key: bytes | None, record: ForgetRecord | None, place: Path) -> None:
    if key is not None and record is not None and record.with_key(key).locked:
        raise ConfigError(f"key: not the one under which {place} keeps what was asked for; give that one, or none")


def _removal(found: Mapping[str, bool | None]) -> Iterable[Check]:
    """Yield the checks of what was found on the whole run, but for that of ids and pairs asked for."""
    for name, (clean, dirty) in _DETAILS.items():
        yield Check(
            name=CheckName.asking(Question.RESIDUE, name),
            state=Outcome.PASSED if found[name] else Outcome.FAILED,
            detail=clean if found[name] else dirty,
        )


def _asked_check(
    before: MappedRun, after: MappedRun, removed: RemovedRows, touched: Ints, record: ForgetRecord | None
) -> Check:
    """Compare what was asked for with what left: by hashes where they can be read, or else by number."""
    name = CheckName.asking(Question.RESIDUE, ASKED)
    if record is None or not record.counts:
        detail = "the run does not say what was requested (it was made by an earlier version, or by a delta of one)"
        return Check(name=name, state=Outcome.NOT_ASSESSED, detail=detail)
    left = _Left.of(before, after, removed, touched)
    if record.readable:
        wanted, there = left.asked_since(record, before.manifest.requested), left.asked(record)
    else:
        wanted, there = {kind: record.counts.get(kind, 0) for kind in _KINDS}, left.counts()
    missing = [
        f"{there[kind]:,} of {counted(wanted[kind], kind[:-1])}" for kind in _KINDS if there[kind] < wanted[kind]
    ]
    asked = listing([counted(count, kind[:-1]) for kind, count in wanted.items() if count])
    if record.readable:
        return Check.of_findings(
            name, missing, f"all that was asked for is out: {asked}", "not all that was asked for left"
        )
    why = record.why_locked if record.locked else "the run was made without a key"
    clean = f"asked for: {asked}; as many left; whether they are the right ones was not checked, since {why}"
    check = Check.of_findings(name, missing, clean, "fewer left than were asked for")
    return check.model_copy(update={"partly": "only the number was checked"})


class _Left(NamedTuple):
    """The ids that left: users, items and all pairs; and the number of pairs whose user and item both stay."""

    users: list[str]
    items: list[str]
    pairs: list[tuple[str, str]]
    single: int

    @classmethod
    def of(cls, before: MappedRun, after: MappedRun, removed: RemovedRows, touched: Ints) -> "_Left":
        """Name what left, `touched` (int64) being the users who lost pairs."""
        old, new = (run.interactions(touched, *Split) for run in (before, after))
        gone = old.select(~new.contains(old.users, old.items, before.size("items")))
        users = touched[gone.users]
        single = ~np.isin(users, removed.rows["users"]) & ~np.isin(gone.items, removed.rows["items"])
        names = {side: before.names(side, removed.rows[side]) for side in SIDES}
        pairs = zip(before.names("users", users), before.names("items", gone.items), strict=True)
        return cls(names["users"], names["items"], list(pairs), int(single.sum()))

    def counts(self) -> dict[str, int]:
        """Count users, items and single pairs."""
        return {"users": len(self.users), "items": len(self.items), "pairs": self.single}

    def asked(self, record: ForgetRecord) -> dict[str, int]:
        """Count those whose hashes are in the record."""
        users, items = zip(*self.pairs, strict=True) if self.pairs else ((), ())
        masks = record.users_in(self.users), record.items_in(self.items), record.pairs_in(users, items)
        return {kind: int(mask.sum()) for kind, mask in zip(_KINDS, masks, strict=True)}

    @staticmethod
    def asked_since(record: ForgetRecord, before: ForgetRecord | None) -> dict[str, int]:
        """Count the hashes of a record that an earlier one lacks."""
        earlier = before or ForgetRecord()
        return {kind: len(set(getattr(record, kind)) - set(getattr(earlier, kind))) for kind in _KINDS}


def _as_answer(check: Check) -> bool | None:
    return None if check.state is Outcome.NOT_ASSESSED else check.state is Outcome.PASSED


def _digests(before: MappedRun, after: MappedRun) -> dict[str, str]:
    runs = {"run": after.manifest.digest, "original": before.manifest.digest}
    return runs | {"dataset": after.manifest.dataset}


def _page_facts(run: MappedRun) -> dict[str, str]:
    own = run.manifest
    facts = {
        "model": own.model,
        "method": own.method,
        "the method's own stopping rule": own.stop,
        "seed": str(own.seed),
        "trained on": f"{own.dataset_name} {own.dataset[:16]}",
        "made": own.created,
    }
    facts |= {f"setting {name}": str(value) for name, value in own.settings.items()}
    return facts | {f"version of {name}": value for name, value in own.versions.items()}


def _still_held(read: ReadMapped, before: MappedRun, after: MappedRun) -> str:
    """Say where what was forgotten lies still: in the runs before the request or before a fold, and in the dataset."""
    line = [*with_unfolded([after], read), *with_unfolded([before, *ancestors(before, read)], read)]
    places = ", ".join(str(run.folder.resolve()) for run in line[1:])
    data = f"the dataset '{before.manifest.dataset_name}' that was trained on"
    return f"What was forgotten is still in {places}, from before the request, and in {data}."
