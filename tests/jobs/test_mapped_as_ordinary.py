"""What is asked of a run in chunks has the answer that the same run in ordinary form gives."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from mmrecun import Dataset, ForgetRequest, jobs, runs
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, AuditReport
from mmrecun.chunked import run as mapped
from mmrecun.data import files
from mmrecun.errors import ConfigError, DataError
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.manifest import Reference, reference, stamped
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF, BPRMFConfig

ASKED = {"users": ["u00003"], "items": ["i00004", "i00030"]}


class Pair(NamedTuple):
    """A trained run and one that was unlearned from it, in one form."""

    before: Path
    after: Path


def in_ordinary_form(run: Path, data: Dataset, rows: tuple[np.ndarray, np.ndarray], out: Path, **facts: object) -> Path:
    """Write a run folder with the data that are left, and the vectors of the rows of a run in chunks that are left."""
    chunks = mapped.read(run)
    model = BPRMF(BPRMFConfig(dim=8), Sizes.of_dataset(data), None)
    for side, table, at in zip(mapped.SIDES, (model.users, model.items), rows, strict=True):
        table.weight.data.copy_(chunks.vectors(side, at))
    (out / runs.DATASET).mkdir(parents=True)
    files.write_into(data, out / runs.DATASET)
    place = Reference(path=runs.DATASET, digest=data.digest)
    manifest = stamped(model, training={}, seed=0, dataset=place, dataset_name=data.name, seconds=0.0, **facts)
    runs.write(out, manifest, model, [{"epoch": 1.0, "loss": 0.0}])
    return out


def both_forms(place: Path, request: dict) -> tuple[Pair, Pair]:
    """Unlearn from the run in chunks in `place`, and write it and its parent in ordinary form."""
    chunks = Pair(place / "run", place / "run2")
    jobs.unlearn_mapped(chunks.before, request, chunks.after)
    whole = replace(files.load(place / "data"), modalities={})
    everybody = np.arange(len(whole.users)), np.arange(len(whole.items))
    before = in_ordinary_form(chunks.before, whole, everybody, place / "ordinary")
    split = Partition.from_request(whole, ForgetRequest(**request))
    asked = {kind: len(request.get(kind, ())) for kind in ("users", "items", "pairs")}
    facts = {
        "parent": reference(before, runs.weights_digest(before), place / "ordinary2"),
        "method": "local",
        "requested": ForgetRecord(counts=asked | {"features": 0}),
        "forgotten": split.counts(),
    }
    rows = split.user_rows, split.item_rows
    after = in_ordinary_form(chunks.after, split.retained, rows, place / "ordinary2", **facts)
    return chunks, Pair(before, after)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """The runs in chunks and in ordinary form, before and after a request for a user and two items."""
    place = tmp_path_factory.mktemp("forms")
    files.save(Dataset.synthetic(users=160, items=60, interactions=3200), place / "data")
    jobs.train_mapped(place / "data", "bprmf", place / "run", {"dim": 8, "epochs": 12, "batch_size": 128})
    return both_forms(place, ASKED)


def test_lists_of_everybody_are_measured_alike(forms):
    chunks, ordinary = forms
    for mine, theirs in zip(chunks, ordinary, strict=True):
        assert jobs.evaluate_mapped(mine).metrics == jobs.evaluate(theirs).metrics


def test_nobody_is_recommended_what_was_removed(forms):
    chunks, ordinary = forms
    for mine, theirs in zip(chunks, ordinary, strict=True):
        for user in ("u00001", "u00117"):
            listed, wanted = jobs.recommend_mapped(mine, user, 60), jobs.recommend(theirs, user, 60)
            assert listed == [{**entry, "title": None} for entry in wanted]
    assert not {"i00004", "i00030", ""} & {entry["item"] for entry in listed}
    for recommend, run in ((jobs.recommend_mapped, chunks.after), (jobs.recommend, ordinary.after)):
        with pytest.raises(DataError, match="user 'u00003' was forgotten from this run"):
            recommend(run, "u00003")
        with pytest.raises(DataError, match=r"^unknown user id: nobody"):
            recommend(run, "nobody")
    with pytest.raises(ConfigError, match="choose a whole number of 1 or more"):
        jobs.recommend_mapped(chunks.after, "u00001", 0)


def test_a_run_in_chunks_is_audited_as_the_ordinary_one_is(forms):
    """Of all users, every figure and check agrees but those of the folder's own files."""
    chunks, ordinary = forms
    mine, theirs = jobs.audit_mapped(chunks.after, users=0).report, jobs.audit(ordinary.after)
    for figures in ("forgotten", "users"):
        assert getattr(mine, figures) == getattr(theirs, figures)
    for one, other in zip(mine.states, theirs.states, strict=True):
        left_out = {"run", "seconds"}
        assert one.model_dump(exclude=left_out) == other.model_dump(exclude=left_out)
    measured, wanted = (
        [check for check in report.checks if check.about is not About.REMOVAL] for report in (mine, theirs)
    )
    assert measured == wanted
    assert {check.state for check in mine.checks if check.about is About.REMOVAL} == {Outcome.PASSED}
    assert (mine.verdict, mine.headline) == (theirs.verdict, theirs.headline)
    assert AuditReport.model_validate_json((chunks.after / "audit.json").read_text()) == mine
    assert "report.html" in {path.name for path in chunks.after.iterdir()}


def test_two_runs_in_chunks_differ_as_the_ordinary_ones_do(forms):
    """Either way round, of all users; and of a sample the counts are still everybody's."""
    chunks, ordinary = forms
    for mine, theirs in ((chunks, ordinary), (chunks[::-1], ordinary[::-1])):
        found, wanted = jobs.diff_mapped(*mine, names=True, users=0), jobs.diff(*theirs, names=True)
        assert found.pop("sample") == 159
        left_out = ("run", "other", "movers")
        assert {name: found[name] for name in found if name not in left_out} == {
            name: wanted[name] for name in wanted if name not in left_out
        }
        assert found["movers"] == [{**each, "title": None} for each in wanted["movers"]]
        some = jobs.diff_mapped(*mine, users=40)
        assert (some["sample"], some["lists"]["all"]["users"], some["rows"]) == (40, 40, wanted["rows"])
        assert some["lists"]["who lost pairs"] == wanted["lists"]["who lost pairs"]


def test_lists_do_not_depend_on_the_items_that_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Figures of lists are those of all items; percentiles are of fewer."""
    files.save(Dataset.synthetic(users=160, items=500, interactions=3200), tmp_path / "data")
    before, after = tmp_path / "run", tmp_path / "run2"
    jobs.train_mapped(tmp_path / "data", "bprmf", before, {"dim": 8, "epochs": 12, "batch_size": 128})
    jobs.unlearn_mapped(before, {"users": ["u00003"], "items": ["i00004"]}, after)
    found = []
    for items in (20_000, 10):
        monkeypatch.setattr("mmrecun.jobs._mapped._ITEMS", items)
        report, differences = jobs.audit_mapped(after, users=5).report, jobs.diff_mapped(before, after, users=5)
        found.append((report, {name: differences[name] for name in ("rows", "lists", "movers", "sample")}))
    (whole, all_items), (part, some_items) = found
    assert all_items == some_items
    for state, other in zip(part.states, whole.states, strict=True):
        for figures in ("retain", "affected", "unaffected", "valid", "harm"):
            assert getattr(state, figures) == getattr(other, figures)
    assert part.states[0].forget == whole.states[0].forget
    assert part.states[0].percentiles != whole.states[0].percentiles
    assert any("of all 499 items. Percentiles and distributions of scores are over" in note for note in part.notes)


@pytest.mark.parametrize(("to", "files_of"), [("vectors", ["users", "items"]), ("lists", ["lists"])])
def test_exports_hold_what_those_of_the_ordinary_run_hold(
    forms, to: str, files_of: list[str], tmp_path: Path, monkeypatch
):
    """In blocks of fifty users; an export of the run before is stale, and so are those of older runs."""
    monkeypatch.setattr("mmrecun.jobs._export_mapped.BLOCK_ROWS", 50)
    chunks, ordinary = forms
    length = 7 if to == "lists" else None
    for mine, theirs in zip(chunks, ordinary, strict=True):
        record = jobs.export_mapped(mine, to, tmp_path / mine.name, length)
        wanted = jobs.export(theirs, to, tmp_path / f"{theirs.name} as was", length)
        for file in files_of:
            one, other = (
                pl.read_parquet(tmp_path / name / f"{file}.parquet") for name in (mine.name, f"{theirs.name} as was")
            )
            assert one.equals(other)
        left_out = {"run", "dataset", "parent", "made", "requests", "verdict"}
        assert record.model_dump(exclude=left_out) == wanted.model_dump(exclude=left_out)
        assert [each.counts for each in record.requests] == [each.counts for each in wanted.requests]
    states, wanted = jobs.exports_mapped(chunks.after), jobs.exports(ordinary.after)
    assert [(each["kind"], each["state"]) for each in states] == [(each["kind"], each["state"]) for each in wanted]
    with pytest.raises(ConfigError, match="which is exported to vectors or lists"):
        jobs.export_mapped(chunks.after, "faiss", tmp_path / "faiss")
