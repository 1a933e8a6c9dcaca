import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.interactions import Split
from mmrecun.data.synthetic import make
from mmrecun.errors import ArtifactError, ConfigError, DataError, DiskError, DivergedError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs import _audit, _train
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task, UnlearnResult
from mmrecun.unlearning.mmrecun.method import MMRecUn
from mmrecun.unlearning.registry import METHODS
from mmrecun.unlearning.unlink import Unlink
from tests.conftest import SMALL, TRAINING


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_whole_way(run_folder: Path, tmp_path: Path):
    before = digests(run_folder)
    original = runs.load(run_folder)
    assert 0 < jobs.evaluate(run_folder).metrics["recall@20"] <= 1
    request = ForgetRequest(items=tuple(original.dataset.items.names[:3]))
    jobs.unlearn(original, request, tmp_path / "after")
    golds = [tmp_path / f"gold{seed}" for seed in (1, 2)]
    for seed, gold in enumerate(golds, start=1):
        jobs.unlearn(run_folder, request, gold, "retrain", seed=seed)
    report = jobs.audit(tmp_path / "after", golds)
    assert report.forgotten["items"] == 3
    assert {"retain_recall@20", "forget_recall@20", "auc", "auc_matched", "fold_in"} <= set(report.gap)
    assert not [
        check
        for check in report.checks
        if check.name.startswith("residue") and check.state not in ("passed", "not applicable")
    ]
    assert any(check.against_gold and check.state == "passed" for check in report.checks)
    assert "Likeness to Gold" in (tmp_path / "after" / "report.html").read_text()
    assert digests(run_folder) == before

    again = jobs.unlearn(tmp_path / "after", ForgetRequest(users=("u00004",)), tmp_path / "second")
    assert again.forgotten["users"] == 1
    assert jobs.audit(tmp_path / "second").forgotten == again.forgotten


def test_what_would_be_there_before_a_request_has_its_own_time(run_folder: Path, tmp_path: Path):
    data = runs.load(run_folder).dataset
    user, item = data.train.users[0], data.train.items[0]
    request = ForgetRequest(pairs=((data.users.names[int(user)], data.items.names[int(item)]),))
    sharded = jobs.unlearn(run_folder, request, tmp_path / "sharded", "sisa", {"shards": 2})
    assert sharded.setup_seconds > 0
    assert runs.read_manifest(tmp_path / "sharded") == sharded.model_copy(
        update={"weights": runs.weights_digest(tmp_path / "sharded")}
    )
    jobs.audit(tmp_path / "sharded")
    assert "more, on what would be there before any request" in (tmp_path / "sharded" / "report.html").read_text()
    assert jobs.unlearn(run_folder, request, tmp_path / "plain", "unlink").setup_seconds == 0
    written = (tmp_path / "plain" / "manifest.json").read_text()
    (tmp_path / "plain" / "manifest.json").write_text(written.replace('"setup_seconds": 0.0,', ""))
    assert runs.read_manifest(tmp_path / "plain").setup_seconds == 0


def test_a_share_of_a_modality_that_is_not_there_is_refused(data_folder: Path, tmp_path: Path):
    known = "unknown modality 'imgae'; did you mean 'image'[?] known: audio, image$"
    with pytest.raises(ConfigError, match=f"^shares: {known}"):
        jobs.train(data_folder, "freedom", tmp_path / "run", {"shares": {"audio": 1, "imgae": 0.5}})
    assert not list(tmp_path.iterdir())


def test_named_items_without_the_modality_are_told(cli, run_folder: Path, tmp_path: Path):
    data = runs.load(run_folder).dataset
    absent = [name for name, has in zip(data.items.names, data.modalities["audio"].present, strict=True) if not has]
    present = next(name for name in data.items.names if name not in absent)
    request = ForgetRequest(modalities={"audio": (absent[0], present)})
    told = f"1 named item has no 'audio' to take out: {absent[0]}"
    assert jobs.warnings(run_folder, request) == jobs.scope(run_folder, request)["warnings"] == [told]
    assert jobs.warnings(run_folder, ForgetRequest(modalities={"audio": (present,)})) == []
    assert jobs.warnings(run_folder, ForgetRequest(modalities={"audio": None})) == []
    (tmp_path / "named.txt").write_text(f"{absent[0]}\n{present}\n")
    code, out, err = cli("unlearn", run_folder, "--modality", f"audio:{tmp_path / 'named.txt'}", "--dry-run")
    assert (code, err) == (0, f"warning: {told}\n")
    assert out.startswith("1 feature row would be taken out of ")


def test_shares_outlive_the_modality_they_name(data_folder: Path, tmp_path: Path):
    jobs.train(data_folder, "freedom", tmp_path / "run", {**TRAINING, "epochs": 1, "shares": {"image": 0.5}})
    request = ForgetRequest(modalities={"image": None})
    for method in ("unlink", "retrain"):
        jobs.unlearn(tmp_path / "run", request, tmp_path / method, method)
        assert runs.load(tmp_path / method).model.modalities() == ("audio",)


def test_training_twice_gives_the_same_bits(data_folder: Path, run_folder: Path, tmp_path: Path):
    jobs.train(data_folder, "mgcn", tmp_path / "again", TRAINING)
    assert runs.weights_digest(tmp_path / "again") == runs.weights_digest(run_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_an_interrupted_training_goes_on_when_called_again(
    data_folder: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_train, "ResumePoint", partial(_train.ResumePoint, every_seconds=0))
    epochs: list[int] = []

    def report(done: int, total: int, note: str) -> None:
        epochs.append(done)
        if epochs == [1, 2, 3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.train(data_folder, "mgcn", tmp_path / "run", TRAINING, progress=report)
    assert [path.name for path in tmp_path.iterdir()] == [".run.resume.safetensors"]
    with pytest.raises(ArtifactError, match="other data, settings or seed"):
        jobs.train(data_folder, "mgcn", tmp_path / "run", TRAINING, seed=1)
    jobs.train(data_folder, "mgcn", tmp_path / "run", TRAINING, progress=report)
    assert epochs == [1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert runs.weights_digest(tmp_path / "run") == runs.weights_digest(run_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_gold_is_what_training_on_the_retained_folder_gives(run_folder: Path, tmp_path: Path):
    request = ForgetRequest(users=("u00001",), items=("i00003",), modalities={"audio": None})
    jobs.unlearn(run_folder, request, tmp_path / "gold", "retrain", seed=7)
    jobs.train(tmp_path / "gold" / "dataset", "mgcn", tmp_path / "trained", TRAINING, seed=7)
    assert runs.weights_digest(tmp_path / "gold") == runs.weights_digest(tmp_path / "trained")


def test_an_audit_without_gold_says_what_it_did_not_assess(run_folder: Path, tmp_path: Path):
    jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), tmp_path / "after")
    report = jobs.audit(tmp_path / "after")
    assert report.gap == {}
    assert {check.state for check in report.checks if check.name.startswith("gold")} == {"not assessed"}
    assert report.verdict in ("failed", "not assessed")
    if report.verdict == "not assessed":
        assert report.headline == "removed; forgetting not measured"


def test_a_report_is_never_hidden_by_one_that_looked_at_less(run_folder: Path, tmp_path: Path):
    request, after = ForgetRequest(users=("u00001", "u00002")), tmp_path / "after"
    jobs.unlearn(run_folder, request, after)
    jobs.unlearn(run_folder, request, tmp_path / "gold", "retrain", seed=7)
    jobs.audit(after)
    full = jobs.audit(after, [tmp_path / "gold"])
    assert full.folder == ""
    kept = (after / "audit.json").read_bytes()
    less = jobs.audit(after)
    assert (after / "audit.json").read_bytes() == kept
    assert json.loads((after / less.folder / "audit.json").read_text())["compared"]["golds"] == []
    names = sorted(path.name.split("Z-")[1] for path in (after / "audits").iterdir())
    assert [name.partition("-")[0] for name in names] == ["alone", "alone", "gold1"]
    assert full.digests["run"] == runs.weights_digest(after)
    again = jobs.audit(after, [tmp_path / "gold"])
    assert again.folder == ""
    checksum = hashlib.sha256((after / "audit.json").read_bytes()).hexdigest()
    assert checksum in (after / "report.html").read_text(encoding="utf-8")


def test_an_audit_says_where_what_was_forgotten_lies_still(run_folder: Path, tmp_path: Path):
    between, after = tmp_path / "between", tmp_path / "after"
    jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), between)
    jobs.unlearn(between, ForgetRequest(users=("u00002",)), after)
    trained_on = (run_folder / runs.read_manifest(run_folder).dataset.path).resolve()
    places = [between.resolve(), between.resolve() / "dataset", run_folder.resolve(), trained_on]
    assert f"What was forgotten is still in {', '.join(map(str, places))}, from" in " ".join(jobs.audit(after).notes)


def test_the_same_gold_does_not_count_twice(run_folder: Path, tmp_path: Path):
    request = ForgetRequest(users=("u00001",))
    jobs.unlearn(run_folder, request, tmp_path / "after")
    jobs.unlearn(run_folder, request, tmp_path / "gold", "retrain", seed=7)
    shutil.copytree(tmp_path / "gold", tmp_path / "copy")
    with pytest.raises(ArtifactError, match="same model as"):
        jobs.audit(tmp_path / "after", [tmp_path / "gold", tmp_path / "copy"])
    manifest = runs.read_manifest(tmp_path / "gold")
    assert manifest.best_epoch > 0
    assert manifest.valid == pytest.approx(max(row["valid"] for row in runs.history(tmp_path / "gold")))


def test_splits_and_users_that_do_not_exist(run_folder: Path):
    with pytest.raises(ConfigError, match="did you mean 'test'"):
        jobs.evaluate(run_folder, "tset")
    with pytest.raises(ConfigError, match="masked"):
        jobs.evaluate(run_folder, "train")
    run = runs.load(run_folder)
    pairs = run.dataset.interactions
    untested = replace(run, dataset=replace(run.dataset, interactions=pairs.select(pairs.splits != Split.TEST)))
    with pytest.raises(DataError, match=r"the dataset has no test pair .* column 'split'"):
        jobs.evaluate(untested)
    with pytest.raises(DataError, match="unknown user id: nobody"):
        jobs.recommend(run_folder, "nobody")


def test_a_forgotten_user_has_no_list(run_folder: Path, tmp_path: Path):
    jobs.unlearn(run_folder, {"users": ["u00003"]}, tmp_path / "less", "unlink")
    with pytest.raises(DataError, match=r"^user 'u00003' was forgotten from this run, so there is no list$"):
        jobs.recommend(tmp_path / "less", "u00003")
    with pytest.raises(DataError, match="unknown user id: nobody"):
        jobs.recommend(tmp_path / "less", "nobody")


def test_recommendations_leave_out_what_the_user_has(run_folder: Path):
    run = runs.load(run_folder)
    user = run.dataset.users.names[0]
    items = jobs.recommend(run, user, 5)
    train = run.dataset.train
    known = set(run.dataset.items.names.gather(train.items[train.users == 0]))
    assert len(items) == 5
    assert not known & {entry["item"] for entry in items}
    assert [entry["score"] for entry in items] == sorted((entry["score"] for entry in items), reverse=True)
    assert all(entry["title"] for entry in items)


def test_what_exists_is_never_replaced(data_folder: Path, run_folder: Path):
    with pytest.raises(ArtifactError, match="already exists; choose another 'out'"):
        jobs.train(data_folder, "mgcn", run_folder)
    with pytest.raises(ArtifactError, match="already exists"):
        jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), run_folder)


def test_names_are_checked_with_a_suggestion(data_folder: Path, run_folder: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="did you mean 'lightgcn'"):
        jobs.train(data_folder, "lightgnc", tmp_path / "run")
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        jobs.train(data_folder, "mgcn", tmp_path / "run", {"epoch": 3})
    with pytest.raises(ConfigError, match="did you mean 'retrain'"):
        jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), tmp_path / "run", "retrian")
    with pytest.raises(ForgetError, match="unknown user id: nobody"):
        jobs.unlearn(run_folder, ForgetRequest(users=("nobody",)), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_method_that_fails_leaves_nothing(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(self, task):
        raise RuntimeError("broken")

    monkeypatch.setattr(MMRecUn, "run", broken)
    with pytest.raises(RuntimeError):
        jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), tmp_path / "after")
    assert not list(tmp_path.iterdir())


class Broken(Unlink):
    """Makes a model with one value that is not a number."""

    def run(self, task: Task) -> UnlearnResult:
        result = super().run(task)
        with torch.no_grad():
            result.model.get_parameter("items.weight")[3, 2] = float("nan")
        return result


def test_a_model_that_is_not_finite_is_not_written(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METHODS, "broken", f"{__name__}:Broken")
    with pytest.raises(DivergedError, match="'broken' made a model with values that are not finite"):
        jobs.unlearn(run_folder, {"users": ["u00003"]}, tmp_path / "out", "broken")
    assert not list(tmp_path.iterdir())


def test_a_failure_while_writing_leaves_nothing(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(model, path):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    before = digests(run_folder)
    monkeypatch.setattr(runs, "save_weights", full)
    with pytest.raises(OSError, match="no space"):
        jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), tmp_path / "after")
    assert not list(tmp_path.iterdir())
    assert digests(run_folder) == before


def test_a_changed_dataset_and_damaged_weights_are_noticed(data_folder: Path, tmp_path: Path):
    shutil.copytree(data_folder, tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {"epochs": 1})
    weights = tmp_path / "run" / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        runs.load(tmp_path / "run")
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtifactError, match="changed since this run was made"):
        runs.load(tmp_path / "run")
    weights.write_bytes(whole)
    features = tmp_path / "data" / "features" / "image.npy"
    content = bytearray(features.read_bytes())
    content[-4:] = b"\0\0\0\0"
    features.write_bytes(bytes(content))
    with pytest.raises(DataError, match="its content has changed since it was written"):
        runs.load(tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    files.save(make(SMALL, Seed(4))[0], tmp_path / "data")
    with pytest.raises(ArtifactError, match="has changed since this run was made"):
        runs.load(tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(ArtifactError, match="put it back"):
        runs.load(tmp_path / "run")


@pytest.mark.parametrize("room_for", [0, 1])
def test_an_audit_that_finds_the_disk_full_leaves_the_earlier_one(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_for: int
):
    jobs.unlearn(run_folder, {"users": ["u00004"]}, tmp_path / "after", "unlink")
    jobs.audit(tmp_path / "after")
    before, written = digests(tmp_path / "after"), list[Path]()

    def full(source: Path, target: Path) -> None:
        if len(written) == room_for:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        written.append(Path(shutil.copyfile(source, target)))

    monkeypatch.setattr(_audit, "link_or_copy", full)
    with pytest.raises(DiskError, match="cannot be written: No space left on device"):
        jobs.audit(tmp_path / "after")
    assert digests(tmp_path / "after") == before


def test_a_link_that_is_turned_to_another_run_while_it_is_read_gives_the_earlier_one(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    jobs.unlearn(run_folder, {"users": ["u00004"]}, tmp_path / "after", "unlink")
    (tmp_path / "release").symlink_to(run_folder)
    (tmp_path / "next").symlink_to("after")
    read_dataset = runs.read_dataset

    def turned(*arguments):
        (tmp_path / "next").replace(tmp_path / "release")
        return read_dataset(*arguments)

    monkeypatch.setattr(runs, "read_dataset", turned)
    read = runs.load(tmp_path / "release")
    monkeypatch.undo()
    assert read.weights == runs.load(run_folder).weights
    assert "u00004" in read.dataset.users.names
    assert runs.load(tmp_path / "release").weights == runs.load(tmp_path / "after").weights


def test_an_audit_refuses_what_does_not_belong_together(run_folder: Path, tmp_path: Path):
    jobs.unlearn(run_folder, ForgetRequest(users=("u00001",)), tmp_path / "one")
    jobs.unlearn(run_folder, ForgetRequest(users=("u00002",)), tmp_path / "other", "retrain")
    with pytest.raises(ArtifactError, match="was trained, not unlearned"):
        jobs.audit(run_folder)
    with pytest.raises(ArtifactError, match="Gold of another request"):
        jobs.audit(tmp_path / "one", [tmp_path / "other"])
    with pytest.raises(ArtifactError, match="is not a Gold"):
        jobs.audit(tmp_path / "one", [tmp_path / "one"])


def test_gold_whose_manifest_has_an_earlier_name_of_a_setting_is_compared_by_its_value(
    run_folder: Path, tmp_path: Path
):
    request = ForgetRequest(users=("u00001",))
    jobs.unlearn(run_folder, request, tmp_path / "after", "unlink")
    jobs.unlearn(run_folder, request, tmp_path / "gold", "retrain")
    path = tmp_path / "gold" / "manifest.json"
    manifest = json.loads(path.read_text())
    value = manifest["settings"].pop("negatives_per_block")
    path.write_text(json.dumps({**manifest, "settings": {**manifest["settings"], "rivals": value}}))
    assert jobs.audit(tmp_path / "after", [tmp_path / "gold"]).gap
    path.write_text(json.dumps({**manifest, "settings": {**manifest["settings"], "rivals": value + 1}}))
    with pytest.raises(ArtifactError, match="Gold of another model or other settings"):
        jobs.audit(tmp_path / "after", [tmp_path / "gold"])


def test_a_method_that_leaves_plain_tables_is_audited_against_gold_of_the_first_model(run_folder: Path, tmp_path: Path):
    request = ForgetRequest(users=("u00001",))
    manifest = jobs.unlearn(run_folder, request, tmp_path / "tables", "gsgcf", {"epochs": 2})
    jobs.unlearn(run_folder, request, tmp_path / "gold", "retrain")
    assert manifest.model == "bprmf"
    assert runs.load(tmp_path / "tables").model.config.model_dump() == manifest.settings
    assert jobs.audit(tmp_path / "tables", [tmp_path / "gold"]).gap


def test_an_audit_needs_the_run_it_came_from_as_it_was(run_folder: Path, data_folder: Path, tmp_path: Path):
    shutil.copytree(data_folder, tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "parent", {"epochs": 1})
    jobs.unlearn(tmp_path / "parent", ForgetRequest(users=("u00001",)), tmp_path / "after")
    weights = tmp_path / "parent" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="no longer the one it was unlearned from"):
        jobs.audit(tmp_path / "after")
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    (tmp_path / "parent").rename(tmp_path / "moved")
    with pytest.raises(ArtifactError, match="put it back there, or say where it is with 'original'"):
        jobs.audit(tmp_path / "after")
    with pytest.raises(ArtifactError, match="no longer the one it was unlearned from"):
        jobs.audit(tmp_path / "after", original=tmp_path / "after")
    assert jobs.shadow_seconds(tmp_path / "after", 4, tmp_path / "moved") > 0
    assert jobs.audit(tmp_path / "after", original=tmp_path / "moved").forgotten["users"] == 1


@contextmanager
def in_float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "around",
    [
        in_float64,
        torch.no_grad,
        torch.inference_mode,
        partial(torch.device, "meta"),
        partial(torch.autocast, "cpu", torch.bfloat16),
    ],
    ids=["float64", "no_grad", "inference_mode", "default device", "autocast"],
)
def test_what_the_program_around_it_has_set_in_torch_changes_no_bit(around, run_folder: Path, tmp_path: Path):
    request = ForgetRequest(users=("u00004",))
    with around():
        data = runs.load(run_folder).dataset
        jobs.train(data, "mgcn", tmp_path / "run", TRAINING)
        jobs.unlearn(tmp_path / "run", request, tmp_path / "after", "unlink")
        jobs.evaluate(tmp_path / "after")
        jobs.recommend(tmp_path / "after", "u00005")
    jobs.unlearn(run_folder, request, tmp_path / "usual", "unlink")
    for made, usual in (("run", run_folder), ("after", tmp_path / "usual")):
        assert runs.weights_digest(tmp_path / made) == runs.weights_digest(usual)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_is_refused_and_does_not_wait_for_ever(run_folder: Path):
    code = f"""
import multiprocessing
from mmrecun import MMRecUnError, load

def work(run):
    try:
        load(run)
    except MMRecUnError as error:
        return str(error)

work({str(run_folder)!r})
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(work, [{str(run_folder)!r}])[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert "forked" in done.stdout, done.stderr
    assert "get_context('spawn')" in done.stdout


def test_runs_can_be_compared_and_kept_in_a_set(run_folder: Path):
    run = runs.load(run_folder)
    assert run in {run}
    assert run != runs.load(run_folder)
    assert run.dataset == runs.load(run_folder).dataset


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sample": 0.5}, "a sample of 0.5 users"),
        ({"shadows": "4"}, "'4' shadow models: give a whole number"),
        ({"key": "a key that lies outside the run"}, "a str is no key; give bytes"),
    ],
)
def test_arguments_of_another_type_are_refused_in_one_line(wrong, message, run_folder: Path, tmp_path: Path):
    jobs.unlearn(run_folder, {"users": ["u00004"]}, tmp_path / "after", "unlink")
    with pytest.raises(ConfigError, match=message):
        jobs.audit(tmp_path / "after", **wrong)
    with pytest.raises(ConfigError, match="unknown split 'None'"):
        jobs.evaluate(run_folder, None)
    with pytest.raises(ArtifactError, match="holds a NUL"):
        jobs.unlearn(run_folder, {"users": ["u00004"]}, "a\0b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": None}, "seed: input should be a valid integer"),
        ({"more": 1}, "more: extra inputs are not permitted"),
        (None, "model: field required"),
    ],
)
def test_a_damaged_manifest_says_where(change, message, run_folder: Path, tmp_path: Path):
    values = json.loads((run_folder / "manifest.json").read_text())
    values = {"format": 1} if change is None else {**values, **change}
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=f"damaged or from another version: {message}"):
        runs.read_manifest(tmp_path)
