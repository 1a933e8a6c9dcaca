"""Samples of what is read besides imports: requests, dataset and run folders, models of other libraries."""

import io
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import torch
from safetensors.numpy import save

from benchmarks.fuzz_readers import Sample
from mmrecun import jobs, runs
from mmrecun.adapters import checkpoints, implicit, mmrec, recbole, vectors
from mmrecun.adapters.mmrec_layouts import MMRecConfig
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.mapped_import import open_mapped
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.forget.id_file import read_ids
from mmrecun.forget.pair_file import read_pairs
from mmrecun.rng import Seed

_SMALL = SyntheticConfig(users=30, items=20, interactions=300, groups=2, width=4, missing=0.0)


def artifact_samples() -> dict[str, Sample]:
    """Return a sample of each; a small model is trained for the run folder."""
    data = make(_SMALL, Seed(1))[0]
    with TemporaryDirectory() as folder:
        files.save(data, Path(folder) / "data")
        jobs.train(data, "bprmf", Path(folder) / "run", {"epochs": 1, "dim": 4}, device="cpu")
        whole = {name: _content(Path(folder) / name) for name in ("data", "run")}
    return {
        "dataset folder": Sample(whole["data"], None, {}, reader=files.load),
        "columns": Sample(whole["data"], None, {}, reader=open_mapped),
        "run folder": Sample(whole["run"], None, {}, reader=lambda folder: runs.load(folder, device="cpu")),
        **_requests(data),
        **_models(data),
    }


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".html", ".png")
    }


def _requests(data: Dataset) -> dict[str, Sample]:
    users, found = data.users.names.head(6), {}
    pairs = pl.DataFrame({"user": users, "item": data.items.names.head(6)})
    for name, content in {
        "ids.txt": "\n".join(users).encode(),
        "ids.csv": pl.DataFrame({"user_id": users, "why": "x"}).write_csv().encode(),
        "ids.jsonl": pl.DataFrame({"user": users}).write_ndjson().encode(),
        "ids.parquet": _parquet(pl.DataFrame({"user": users})),
    }.items():
        found[name] = Sample(
            {name: content}, None, {}, reader=lambda folder, name=name: read_ids(folder / name, "user", data.users)
        )
    for name, content in {
        "pairs.csv": pairs.write_csv().encode(),
        "pairs.tsv": pairs.write_csv(separator="\t", include_header=False).encode(),
        "pairs.jsonl": pairs.write_ndjson().encode(),
    }.items():
        found[name] = Sample(
            {name: content}, None, {}, reader=lambda folder, name=name: read_pairs(folder / name, data)
        )
    return found


def _models(data: Dataset) -> dict[str, Sample]:
    left, values, right = np.linalg.svd(data.train.matrix(len(data.users), len(data.items)).toarray())
    users, items = (left[:, :3] * values[:3]).astype("f4"), np.ascontiguousarray(right[:3].T, dtype="f4")
    archive = io.BytesIO()
    np.savez(archive, user_factors=users, item_factors=items, regularization=0.5, alpha=1.0)
    state = OrderedDict(
        zip(("user_embedding.weight", "item_embedding.weight"), map(_tensor, (users, items)), strict=True)
    )
    graphs = OrderedDict({"embedding_dict.user_emb": _tensor(users), "embedding_dict.item_emb": _tensor(items)})
    ids = [names.to_list() for names in (data.users.names, data.items.names)]
    parts = {"users.npy": _npy(users), "items.safetensors": save({"items": items})}
    parquet = {"users.parquet": _parquet(pl.DataFrame({"id": ids[0], "v": users})), "items.npy": _npy(items)}
    tables = "user_embedding.weight", "item_embedding.weight"
    return {
        "implicit": Sample(
            {"m.npz": archive.getvalue()}, None, {}, reader=lambda folder: implicit.load(folder / "m.npz", data)
        ),
        "recbole": Sample(
            {"m.pth": _pth({"state_dict": state, "epoch": 3})},
            None,
            {},
            reader=lambda folder: recbole.load(folder / "m.pth", data, *ids),
        ),
        "torch": Sample(
            {"m.pth": _pth(state)}, None, {}, reader=lambda folder: checkpoints.load(folder / "m.pth", *tables, data)
        ),
        "mmrec checkpoint": Sample(
            {"m.pth": _pth(graphs)},
            None,
            {},
            reader=lambda folder: mmrec.load(folder / "m.pth", data, config=MMRecConfig(layers=2)),
        ),
        "vectors": Sample(
            parts, None, {}, reader=lambda folder: vectors.load(*(folder / name for name in parts), data)
        ),
        "vectors of Parquet": Sample(
            parquet, None, {}, reader=lambda folder: vectors.load(*(folder / name for name in parquet), data)
        ),
    }


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values)


def _pth(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _parquet(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()
