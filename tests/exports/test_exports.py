"""Exports: read back by other libraries, they give the lists that `recommend` gives; each knows its run."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from mmrecun import jobs, load, runs
from mmrecun.auditing.residue import scan
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.exports.formats import LISTS, WRITERS
from mmrecun.exports.huggingface import card
from mmrecun.exports.record import read_record
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.inference import vectors_of
from tests.conftest import TRAINING

REQUEST = ForgetRequest(users=("u00003", "u00011"), items=("i00007",))


@pytest.fixture(scope="module")
def places(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, the run after one request, and the run after two."""
    folder = tmp_path_factory.mktemp("exported")
    jobs.train(data_folder, "lightgcn", folder / "original", {**TRAINING, "epochs": 3})
    jobs.unlearn(folder / "original", REQUEST, folder / "after")
    jobs.unlearn(folder / "after", ForgetRequest(users=("u00020",)), folder / "later")
    return folder


@pytest.fixture(scope="module")
def exported(places: Path):
    """Export of the run `after`, made once a format."""

    def of(kind: str, **options) -> Path:
        out = places / "out" / kind
        if not out.exists():
            jobs.export(places / "after", kind, out, **options)
        return out

    return of


def reference_lists(users: np.ndarray, items: np.ndarray, run: Path, k: int) -> list[tuple[list[str], np.ndarray]]:
    """Lists by plain sorting of all scores: ids and scores of every user."""
    data = load(run).dataset
    lists = []
    for row, vector in enumerate(users):
        scores = (items @ vector).astype(np.float64)
        scores[data.interactions.items[data.interactions.users == row]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:k]
        best = best[np.isfinite(scores[best])]
        lists.append((data.items.names.gather(best).to_list(), scores[best]))
    return lists


def of_recommend(run: Path, k: int = 10) -> dict[str, list[str]]:
    opened = load(run)
    return {user: [entry["item"] for entry in jobs.recommend(opened, user, k)] for user in opened.dataset.users.names}


def read_vectors(kind: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    if kind == "vectors":
        users, items = (pl.read_parquet(folder / f"{name}.parquet")["vector"].to_numpy() for name in ("users", "items"))
        return users, items
    if kind == "npy":
        return np.load(folder / "users.npy"), np.load(folder / "items.npy")
    tables = load_file(folder / "vectors.safetensors")
    return tables["users"], tables["items"]


@pytest.mark.parametrize("kind", ["vectors", "npy", "safetensors"])
def test_vectors_read_back_give_the_lists_of_recommend(kind: str, places: Path, exported):
    folder = exported(kind)
    users, items = read_vectors(kind, folder)
    ids = pl.read_parquet(folder / "users.parquet")["id"]
    expected = of_recommend(places / "after")
    assert ids.to_list() == list(expected)
    found = reference_lists(users, items, places / "after", 10)
    assert dict(zip(ids, [names for names, _ in found], strict=True)) == expected


def test_lists_are_those_of_recommend(places: Path, exported):
    table = pl.read_parquet(exported(LISTS, length=10) / "lists.parquet")
    assert dict(zip(table["user"], table["items"].to_list(), strict=True)) == of_recommend(places / "after")
    assert all(np.all(np.diff(scores) <= 0) for scores in table["scores"].to_list())


def test_lists_end_where_a_user_has_no_further_item(places: Path, tmp_path: Path):
    jobs.export(places / "after", LISTS, tmp_path / "all", length=1000)
    table = pl.read_parquet(tmp_path / "all" / "lists.parquet")
    data = load(places / "after").dataset
    held = np.bincount(data.interactions.users, minlength=len(data.users))
    assert table["items"].list.len().to_list() == (len(data.items) - held).tolist()


@pytest.mark.parametrize(("limit", "size"), [("BLOCK_ROWS", 7), ("_ENTRIES", 25)])
def test_lists_are_the_same_in_blocks(
    limit: str, size: int, places: Path, tmp_path: Path, exported, monkeypatch: pytest.MonkeyPatch
):
    whole = pl.read_parquet(exported(LISTS, length=10) / "lists.parquet")
    monkeypatch.setattr(f"mmrecun.exports.lists.{limit}", size)
    jobs.export(places / "after", LISTS, tmp_path / "blocks", length=10)
    blocks = pl.read_parquet(tmp_path / "blocks" / "lists.parquet")
    assert blocks.select("user", "items").equals(whole.select("user", "items"))


def test_without_pyarrow_all_works_but_parquet_of_vectors_and_lists(data_folder: Path, tmp_path: Path):
    code = f"""
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from mmrecun import jobs
from mmrecun.errors import ConfigError
from mmrecun.forget.request import ForgetRequest
folder = Path({str(tmp_path)!r})
jobs.train(Path({str(data_folder)!r}), "lightgcn", folder / "run", {{"epochs": 1, "dim": 4}})
jobs.unlearn(folder / "run", ForgetRequest(users=("u00003",)), folder / "after", "unlink")
jobs.audit(folder / "after")
for kind in ("npy", "safetensors", "vectors", "lists"):
    try:
        print(kind, jobs.export(folder / "after", kind, folder / kind).users)
    except ConfigError as error:
        print(kind, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    hint = "an export of vectors or lists to Parquet needs the library 'pyarrow'; pip install 'mmrecun[parquet]'"
    assert done.stdout.splitlines() == ["npy 79", "safetensors 79", f"vectors {hint}", f"lists {hint}"], done.stderr
    assert not (tmp_path / "vectors").exists()


def test_faiss_finds_the_lists_of_recommend(places: Path, exported):
    faiss = pytest.importorskip("faiss", reason="faiss is not installed")
    folder = exported("faiss")
    index = faiss.read_index(str(folder / "items.faiss"))
    names = pl.read_parquet(folder / "items.parquet")["id"].to_list()
    users = pl.read_parquet(folder / "users.parquet")
    data, expected = load(places / "after").dataset, of_recommend(places / "after")
    _, found = index.search(np.ascontiguousarray(users["vector"].to_numpy()), index.ntotal)
    for row, (user, listed) in enumerate(zip(users["id"], found, strict=True)):
        seen = set(data.interactions.items[data.interactions.users == row])
        assert [names[item] for item in listed if item not in seen][:10] == expected[user]


def test_the_onnx_scorer_agrees_with_torch(places: Path, exported):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    folder = exported("onnx")
    session = runtime.InferenceSession(str(folder / "scorer.onnx"), providers=["CPUExecutionProvider"])
    run = load(places / "after")
    rows = np.array([4, 0, 31], dtype=np.int64)
    of, pairs = run.dataset.interactions.users, run.dataset.interactions
    seen = np.array([(place, item) for place, row in enumerate(rows) for item in pairs.items[of == row]])
    items, scores = session.run(["items", "scores"], {"users": rows, "seen": seen, "k": np.array([10])})
    vectors = vectors_of(run.model, run.dataset)
    table = (vectors.users[rows.tolist()] @ vectors.items.T).numpy()
    expected = of_recommend(places / "after")
    for place, row in enumerate(rows):
        assert run.dataset.items.names.gather(items[place]).to_list() == expected[run.dataset.users.names[int(row)]]
    np.testing.assert_allclose(scores, np.take_along_axis(table, items, axis=1), rtol=1e-5, atol=1e-6)
    nothing = np.empty((0, 2), dtype=np.int64)
    everything = session.run(["scores"], {"users": rows, "seen": nothing, "k": np.array([len(run.dataset.items)])})[0]
    np.testing.assert_allclose(everything, -np.sort(-table, axis=1), rtol=1e-5, atol=1e-6)


def test_the_mlflow_model_is_loaded_by_mlflow_without_a_pickle(places: Path, exported):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mlflow's own
        pytest.importorskip("mlflow.pyfunc", reason="mlflow is not installed")
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        folder = exported("mlflow")
        import mlflow.pyfunc

        model = mlflow.pyfunc.load_model(str(folder))
        found = model.predict(pandas.DataFrame({"user": ["u00000", "u00040"]}), params={"k": 5})
    expected = of_recommend(places / "after", 5)
    for user in ("u00000", "u00040"):
        assert found[found["user"] == user]["item"].tolist() == expected[user]
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    assert model.metadata.metadata["run"] == read_record(folder).run
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_the_card_is_one_that_the_hub_reads_and_names_nobody(places: Path, exported):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    folder = exported("huggingface")
    loaded = hub.ModelCard.load(folder / "README.md")
    assert loaded.data.to_dict()["library_name"] == "mmrecun"
    assert "machine-unlearning" in loaded.data.tags


def test_a_repository_to_be_shared_holds_no_user(places: Path, exported):
    folder = exported("huggingface")
    data = load(places / "after").dataset
    contents = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [name for name in data.users.names if name.encode() in contents]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert not [name for name in (*REQUEST.users, *REQUEST.items, *data.items.names) if name in text]
    assert load_file(folder / "model.safetensors")["items"].shape == (len(data.items), TRAINING["dim"])


def test_the_card_says_parent_requests_and_verdict(places: Path, tmp_path: Path):
    record = jobs.export(places / "later", "huggingface", tmp_path / "later")
    manifest = runs.read_manifest(places / "later")
    text = card(record)
    assert manifest.parent is not None
    assert manifest.parent.digest in text
    assert "| 1 | " in text
    assert "| 2 | " in text
    assert "2 users, 1 item, " in text
    assert "| Verdict | not audited |" in text


def test_an_audit_shows_in_the_record_and_that_of_another_run_does_not(places: Path, tmp_path: Path):
    copy = places / "audited"
    jobs.unlearn(places / "original", REQUEST, copy)
    report = jobs.audit(copy)
    assert jobs.export(copy, "npy", tmp_path / "one").verdict == report.headline
    values = json.loads((copy / "audit.json").read_text(encoding="utf-8"))
    values["digests"]["run"] = "0" * 64
    (copy / "audit.json").write_text(json.dumps(values), encoding="utf-8")
    assert "another run" in jobs.export(copy, "npy", tmp_path / "two").verdict


@pytest.mark.parametrize("kind", [LISTS, "npy"])
def test_a_record_names_its_run(kind: str, places: Path, exported):
    record, manifest = read_record(exported(kind)), runs.read_manifest(places / "after")
    assert (record.kind, record.run, record.dataset) == (kind, manifest.weights, manifest.dataset.digest)
    assert [request.counts["users"] for request in record.requests] == [2]
    assert record.complete


def test_the_register_holds_no_residue(places: Path, exported):
    exported(LISTS, length=10)
    parent, run = load(places / "original"), load(places / "after")
    partition = Partition.from_request(parent.dataset, REQUEST)
    checks = {
        check.name: check for check in scan(parent.model, run.model, partition, run.folder, run.manifest.requested)
    }
    assert checks["residue: files"].state.value == "passed", checks["residue: files"].detail


def test_what_cannot_be_done_is_said(places: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"unknown format 'list'; did you mean 'lists'"):
        jobs.export(places / "after", "list", tmp_path / "x")
    with pytest.raises(ConfigError, match="has no lists"):
        jobs.export(places / "after", "npy", tmp_path / "x", length=5)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "file").touch()
    with pytest.raises(ArtifactError, match="already exists"):
        jobs.export(places / "after", "npy", tmp_path / "x")


def test_a_missing_library_is_one_line_and_leaves_nothing(places: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"an export to faiss needs .* pip install 'mmrecun\[faiss\]'"):
        jobs.export(places / "later", "faiss", tmp_path / "x")
    assert not list(tmp_path.iterdir())
    assert not (places / "later" / "exports").exists() or not [
        entry for entry in (places / "later" / "exports").iterdir() if entry.name.startswith("faiss")
    ]


def test_every_format_is_tested_here():
    assert set(WRITERS) == {"vectors", "npy", "safetensors", "faiss", "onnx", "mlflow", "huggingface"}
