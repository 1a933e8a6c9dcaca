"""Every kind of survivor is planted once; the scan must find it, and only it."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmrecun import jobs
from mmrecun.auditing import residue, residue_record
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Split
from mmrecun.data.modality import Modality
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import EmbeddingTable
from mmrecun.runs import Run, load
from tests.conftest import TRAINING

KEY = b"a key that lies outside the run"


@pytest.fixture(scope="module")
def runs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Partition]:
    original = load(run_folder)
    items, users = original.dataset.items.names, original.dataset.users.names
    out = tmp_path_factory.mktemp("residue") / "after"
    jobs.unlearn(original, ForgetRequest(items=(items[1], items[2]), users=(users[3],)), out)
    after = load(out)
    return original, after, Partition.between(original.dataset, after.dataset)


def failed(
    runs: tuple[Run, Run, Partition],
    partition: Partition | None = None,
    folder: Path | None = None,
    record: ForgetRecord | None = None,
) -> set[str]:
    original, after, found = runs
    asked = record or after.manifest.requested
    checks = residue.scan(original.model, after.model, partition or found, folder or after.folder, asked)
    return {check.name for check in checks if check.state is Outcome.FAILED}


def test_a_clean_run_passes(runs: tuple[Run, Run, Partition]):
    assert failed(runs) == set()


def test_an_id_in_a_file(runs: tuple[Run, Run, Partition], tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    (folder / "notes.json").write_text('{"removed": ["i00001"]}')
    assert failed(runs, folder=folder) == {"residue: files"}


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_an_id_in_an_array_of_text(save, runs: tuple[Run, Run, Partition], tmp_path: Path):
    """NumPy writes four bytes a character, and numbers of one digit are ids, too."""
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    for ids, expected in (
        (np.array(["i00000", "i00003"]), set()),
        (np.array(["i00000", "i00001"]), {"residue: files"}),
    ):
        for names in (ids, ids.astype("S")):
            save(folder / ("ids.npy" if save is np.save else "ids.npz"), names)
            assert failed(runs, folder=folder) == expected


def test_an_id_in_a_table(runs: tuple[Run, Run, Partition], tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    shutil.copy(runs[0].folder / runs[0].manifest.dataset.path / "users.parquet", folder / "dataset" / "users.parquet")
    assert failed(runs, folder=folder) == {"residue: files"}


@pytest.mark.parametrize(
    ("column", "there"),
    [
        ({"items": [["i00000", "i00001"], None]}, True),
        ({"best": [["i00000"], ["i00001"]]}, True),
        ({"account": ["u00003", "u00000"]}, True),
        ({"best": [["i00000"], []], "scores": [[1.0], []], "parts": [{"a": 1}, None]}, False),
    ],
)
def test_an_id_in_an_exported_list(runs: tuple[Run, Run, Partition], tmp_path: Path, column: dict, there: bool):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    (folder / "old").mkdir()
    pl.DataFrame({"user": ["u00000", "u00001"], **column}).write_parquet(folder / "old" / "lists.parquet")
    assert failed(runs, folder=folder) == ({"residue: files"} if there else set())


def test_an_id_in_the_type_of_a_column(runs: tuple[Run, Run, Partition], tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(runs[1].folder, folder)
    frame = pl.DataFrame({"by": pl.Series(["u1"], dtype=pl.Enum(["u1", "i00001"]))})
    frame.write_parquet(folder / "extra.parquet")
    assert failed(runs, folder=folder) == {"residue: files"}
    frame.cast(pl.String).write_parquet(folder / "extra.parquet")
    assert failed(runs, folder=folder) == set()


def test_a_folder_called_like_a_pattern_is_searched_itself(runs: tuple[Run, Run, Partition], tmp_path: Path):
    for name, values in (("run 1", ["u1"]), ("run [1]", ["u1", "i00001"])):
        shutil.copytree(runs[1].folder, tmp_path / name)
        frame = pl.DataFrame({"by": pl.Series(["u1"], dtype=pl.Enum(values))})
        frame.write_parquet(tmp_path / name / "extra.parquet")
        assert failed(runs, folder=tmp_path / name) == ({"residue: files"} if len(values) > 1 else set())
    shutil.rmtree(tmp_path / "run 1")
    assert failed(runs, folder=tmp_path / "run [1]") == {"residue: files"}


def test_a_row_that_survived(runs: tuple[Run, Run, Partition]):
    original, after, _ = runs
    row = after.model.users.weight.data[0].clone()
    after.model.users.weight.data[0] = original.model.users.weight.data[3]
    try:
        assert failed(runs) == {"residue: rows"}
    finally:
        after.model.users.weight.data[0] = row


def test_a_number_that_agrees_by_chance(runs: tuple[Run, Run, Partition], monkeypatch: pytest.MonkeyPatch):
    original, after, partition = runs
    for run, rows in ((original, len(partition.removed_items)), (after, len(partition.item_rows))):
        bias = EmbeddingTable("items", rows, 1, None)
        torch.nn.init.ones_(bias.weight)
        tables = {**run.model.tables(), "bias.weight": bias}
        monkeypatch.setattr(run.model, "tables", lambda tables=tables: tables)
    assert failed(runs) == set()


def test_a_table_of_the_old_size(runs: tuple[Run, Run, Partition]):
    table = runs[1].model.users
    rows = table.weight.data
    table.weight.data = torch.cat([rows, torch.ones(1, rows.shape[1])])
    try:
        assert failed(runs) == {"residue: tables"}
    finally:
        table.weight.data = rows


def test_features_that_were_kept(runs: tuple[Run, Run, Partition]):
    partition = runs[2]
    before, after = partition.original.modalities["image"], partition.retained.modalities["image"]
    lost = int(np.flatnonzero(partition.removed_items & before.present)[0])
    features = np.array(after.features)
    features[0] = before.features[lost]
    kept = replace(
        partition.retained, modalities={**partition.retained.modalities, "image": replace(after, features=features)}
    )
    planted = replace(partition)
    object.__setattr__(planted, "retained", kept)  # in place of what it would work out
    assert failed(runs, planted) == {"residue: features"}


def without_image(modality: Modality, dataset: Dataset, lost: int) -> Partition:
    """Forget the image of one item of a dataset whose images are `modality`."""
    data = replace(dataset, modalities={**dataset.modalities, "image": modality})
    return Partition.from_request(data, ForgetRequest(modalities={"image": (data.items.names[lost],)}))


def found_among_features(partition: Partition) -> Outcome:
    return residue._features(partition).state


def test_a_feature_row_of_zeros_is_what_items_without_one_have(dataset: Dataset):
    image = dataset.modalities["image"]
    lost = int(np.flatnonzero(image.present)[0])
    features = np.array(image.features)
    features[lost] = 0
    partition = without_image(replace(image, features=features), dataset, lost)
    assert not partition.retained.modalities["image"].features[lost].any()
    assert found_among_features(partition) is Outcome.PASSED


def test_a_forgotten_feature_row_is_found_where_an_item_is_said_to_have_none(dataset: Dataset):
    """A mask hides the row from models; it stands in the file all the same."""
    image = dataset.modalities["image"]
    lost = int(np.flatnonzero(image.present)[0])
    partition = without_image(image, dataset, lost)
    after = partition.retained.modalities["image"]
    hidden = replace(after, features=np.array(image.features))
    kept = replace(partition.retained, modalities={**partition.retained.modalities, "image": hidden})
    object.__setattr__(partition, "retained", kept)
    assert not hidden.present[lost]
    assert found_among_features(partition) is Outcome.FAILED


def test_content_that_a_kept_item_shares_is_its_own(dataset: Dataset):
    image = dataset.modalities["image"]
    lost, kept = (int(row) for row in np.flatnonzero(image.present)[:2])
    features = np.array(image.features)
    features[kept] = features[lost]
    assert found_among_features(without_image(replace(image, features=features), dataset, lost)) is Outcome.PASSED


def asked(runs: tuple[Run, Run, Partition], **also: object) -> ForgetRecord:
    """What the run was asked for, and more."""
    before = ForgetRecord.extended(ForgetRequest(items=("i00001", "i00002"), users=("u00003",)))
    return ForgetRecord.extended(ForgetRequest(**also), before)


def test_an_id_left_in_the_map(runs: tuple[Run, Run, Partition]):
    kept = runs[1].dataset
    assert failed(runs, record=asked(runs, users=(kept.users.names[0],))) == {"residue: ids"}
    assert failed(runs, record=asked(runs, items=(kept.items.names[0],))) == {"residue: ids"}


def test_a_pair_left_in_the_data_or_the_graph(runs: tuple[Run, Run, Partition]):
    kept = runs[1].dataset
    for split, places in ((Split.TRAIN, "1 interactions, 1 edges"), (Split.TEST, "1 interactions")):
        pairs = kept.interactions.split(split)
        pair = kept.users.names[int(pairs.users[0])], kept.items.names[int(pairs.items[0])]
        record = asked(runs, pairs=(pair,))
        assert failed(runs, record=record) == {"residue: graphs"}
        check = residue_record._graph(runs[1].model, runs[2], record)
        assert check.detail.endswith(places)


def test_a_feature_left_attached(runs: tuple[Run, Run, Partition]):
    kept = runs[1].dataset
    item = kept.items.names[int(np.flatnonzero(kept.modalities["image"].present)[0])]
    assert failed(runs, record=asked(runs, modalities={"image": (item,)})) == {"residue: modalities"}
    assert failed(runs, record=asked(runs, modalities={"audio": None})) == {"residue: modalities"}


def test_a_run_that_does_not_say_what_was_asked_for_is_not_vouched_for(runs: tuple[Run, Run, Partition]):
    original, after, partition = runs
    checks = residue.scan(original.model, after.model, partition, after.folder, None)
    unknown = {check.name for check in checks if check.state is Outcome.NOT_ASSESSED}
    assert unknown == {"residue: ids", "residue: graphs", "residue: modalities"}


def test_an_earlier_request_is_looked_for_as_well(runs: tuple[Run, Run, Partition], tmp_path: Path):
    after = runs[1]
    jobs.unlearn(after, ForgetRequest(users=("u00010",)), tmp_path / "first", "unlink", key=KEY)
    jobs.unlearn(tmp_path / "first", ForgetRequest(items=("i00005",)), tmp_path / "later", "unlink", key=KEY)
    record = load(tmp_path / "later").manifest.requested
    assert record.locked
    assert record.with_key(KEY).items_in(["i00005", "i00009"]).tolist() == [True, False]
    assert record.with_key(KEY).users_in(["u00010", "u00011"]).tolist() == [True, False]


def test_a_manifest_names_nobody_without_the_key(runs: tuple[Run, Run, Partition], tmp_path: Path):
    """Neither the hashes nor the digest of a request can be found by trying every id."""
    written = runs[1].manifest
    assert written.request_digest == ""
    assert not (written.requested.users)
    assert not (written.requested.items)
    assert not (written.requested.salt)
    request = ForgetRequest(users=("u00010",))
    digests = [
        jobs.unlearn(runs[1], request, tmp_path / name, "unlink", key=key).request_digest
        for name, key in (("a", KEY), ("b", KEY), ("c", KEY[::-1]))
    ]
    assert digests[0] == digests[1] != digests[2]
    guess = f"{runs[1].dataset.digest} {request.model_dump_json()}"
    assert hashlib.sha256(guess.encode()).hexdigest() not in digests


def test_without_the_key_as_much_must_have_left_as_was_asked_for(runs: tuple[Run, Run, Partition], tmp_path: Path):
    original, after, partition = runs
    kept = after.manifest.requested
    checks = {check.name: check for check in residue.scan(original.model, after.model, partition, after.folder, kept)}
    assert checks["residue: ids"].state is Outcome.PASSED
    assert "asked for: 1 user and 2 items; removed: 1 user and 2 items" in checks["residue: ids"].detail
    assert checks["residue: ids"].partly == "only the number was checked"
    assert "made without a key" in checks["residue: ids"].detail
    for kind, check in (
        ("users", "residue: ids"),
        ("items", "residue: ids"),
        ("pairs", "residue: graphs"),
        ("features", "residue: modalities"),
    ):
        more = kept.model_copy(update={"counts": {**kept.counts, kind: kept.counts[kind] + 1}})
        assert failed(runs, record=more) == {check}
    locked = ForgetRecord.for_manifest(ForgetRequest(users=["u00003"]), kept.counts, None, KEY)
    stored = ForgetRecord.of(locked.model_dump())
    found = residue.scan(original.model, after.model, partition, after.folder, stored)
    assert "the key of the run was not given" in found[0].detail
    other = residue.scan(original.model, after.model, partition, after.folder, stored, b"a key of somebody else")
    assert "the key given is not that of the run" in other[0].detail
    opened = residue.scan(original.model, after.model, partition, after.folder, stored, KEY)
    assert opened[0].detail == "none of 1 user and 0 items asked for is in an id map"
    stayed = ForgetRecord.of(ForgetRecord.for_manifest(ForgetRequest(users=["u00004"]), {}, None, KEY).model_dump())
    assert residue.scan(original.model, after.model, partition, after.folder, stayed, KEY)[0].state is Outcome.FAILED


def test_words_of_the_program_itself_are_no_residue(dataset: Dataset, tmp_path: Path):
    names = ["null", "users", "valid", "image", "mgcn", "recall@20", "unlink", "true"]
    users = IdMap.of("user", [*names, *dataset.users.names[len(names) :]])
    files.save(replace(dataset, users=users), tmp_path / "data")
    jobs.train(tmp_path / "data", "mgcn", tmp_path / "run", {**TRAINING, "epochs": 1})
    jobs.unlearn(tmp_path / "run", ForgetRequest(users=names), tmp_path / "after", "unlink")
    assert residue_states(jobs.audit(tmp_path / "after"))["residue: files"] is Outcome.PASSED
    original, after = load(tmp_path / "run"), load(tmp_path / "after")
    found = original, after, Partition.between(original.dataset, after.dataset)
    for name in names:
        (tmp_path / "after" / "notes.json").write_text(json.dumps({"removed": [name], "kept": None}))
        assert failed(found) == {"residue: files"}, name
    assert residue_states(jobs.audit(tmp_path / "after"))["residue: files"] is Outcome.FAILED


def test_an_id_in_an_attribute_of_somebody_else(dataset: Dataset, tmp_path: Path):
    uploader = [f"u{n % 5:05}" for n in range(len(dataset.items))]
    blurbs = ["with u00003" if n == 7 else "" for n in range(len(dataset.items))]
    tables = dataset.item_attributes.with_columns(uploader=pl.Series(uploader), blurb=pl.Series(blurbs))
    files.save(replace(dataset, item_attributes=tables), tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {**TRAINING, "epochs": 1})
    request = ForgetRequest(users=("u00003",))
    scope = jobs.scope(tmp_path / "run", request)
    assert scope["references"] == {"items.uploader": 10}
    assert "stand in 'blurb' of 1 item," in scope["warnings"][0]
    made = jobs.unlearn(tmp_path / "run", request, tmp_path / "after", "unlink")
    assert made.references == {"items.uploader": 10}
    after = load(tmp_path / "after")
    assert "u00003" not in after.dataset.item_attributes["uploader"]
    (check,) = (check for check in jobs.audit(after).checks if check.name == "residue: files")
    assert check.state is Outcome.FAILED
    assert "1 in the attribute 'blurb' of items" in check.detail


def test_a_report_of_survivors_is_no_survivor_itself(run_folder: Path, tmp_path: Path):
    name = load(run_folder).dataset.items.names[1]
    jobs.unlearn(run_folder, ForgetRequest(items=(name,)), tmp_path / "after")
    (tmp_path / "after" / "notes.json").write_text(f'["{name}"]')
    assert residue_states(jobs.audit(tmp_path / "after"))["residue: files"] is Outcome.FAILED
    assert not [path for path in tmp_path.rglob("*.html") if name in path.read_text()]
    (tmp_path / "after" / "notes.json").unlink()
    assert residue_states(jobs.audit(tmp_path / "after"))["residue: files"] is Outcome.PASSED


def test_a_folder_that_is_called_like_an_id_is_told_and_audited_alike_twice(run_folder: Path, tmp_path: Path):
    """A report says where the run lies, and the next audit reads it."""
    request, out = {"users": ["u00003"]}, tmp_path / "without-u00003"
    (warning,) = jobs.warnings(run_folder, request, out=out)
    assert warning.endswith("a forgotten id stands in 'without-u00003': give folders other names")
    assert not jobs.warnings(run_folder, request, out=tmp_path / "without-u000031")
    jobs.unlearn(run_folder, request, out, "unlink")
    assert [residue_states(jobs.audit(out))["residue: files"] for _ in range(2)] == [Outcome.PASSED] * 2
    (out / "audits" / "notes.json").write_text('["u00003"]')
    assert residue_states(jobs.audit(out))["residue: files"] is Outcome.FAILED


def residue_states(report: AuditReport) -> dict[str, Outcome]:
    return {check.name: check.state for check in report.checks if check.name.startswith("residue")}


@pytest.mark.parametrize(
    ("text", "there"), [("xi00001 i000012", False), ('{"a":"i00001"}', True), ("u\ti00001\n", True)]
)
def test_an_id_is_found_as_a_word_and_not_inside_one(
    runs: tuple[Run, Run, Partition], tmp_path: Path, text: str, there: bool
):
    (tmp_path / "notes.txt").write_text(text)
    assert ("residue: files" in failed(runs, folder=tmp_path)) == there


@given(st.data())
@settings(deadline=None)
def test_rows_are_found_as_in_a_set(data: st.DataObject):
    values = arrays(np.float32, st.tuples(st.integers(0, 8), st.just(2)), elements=st.sampled_from([0, -0.0, 1, 2]))
    table, rows = data.draw(values), data.draw(values)
    known = {row.tobytes() for row in table}
    assert residue.held_in(table, rows).tolist() == [row.tobytes() in known for row in rows]
