"""What a page takes for granted: files of the names it uses, made of synthetic data."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import polars as pl
import torch

from mmrecun import Dataset, jobs
from mmrecun.adapters.interactions import opened_data
from mmrecun.data import files
from tests.docs import imported

SIZES = {"users": 120, "items": 70, "interactions": 1900}


def small() -> Dataset:
    return Dataset.synthetic(**SIZES)


def als(dataset: Dataset, factors: int = 8, ridge: float = 5.0, sweeps: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Factors of implicit feedback, as in Hu, Koren and Volinsky with confidence 1 throughout."""
    shape = len(dataset.users), len(dataset.items)
    liked = np.asarray(dataset.train.matrix(*shape).todense() > 0, dtype=np.float64)
    items = np.random.default_rng(0).normal(0, 0.1, (shape[1], factors))
    for _ in range(sweeps):
        users = np.linalg.solve(items.T @ items + ridge * np.eye(factors), items.T @ liked.T).T
        items = np.linalg.solve(users.T @ users + ridge * np.eye(factors), users.T @ liked).T
    return users.astype(np.float32), items.astype(np.float32)


def listed(path: str, ids: Iterable[str]) -> None:
    Path(path).write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")


def tables(dataset: Dataset, pairs: str) -> None:
    frames = dataset.to_frames()
    frames["interactions"].write_csv(pairs)
    frames["users"].write_csv("users.csv")
    frames["items"].write_csv("items.csv")


def implicit_model(dataset: Dataset) -> None:
    users, items = als(dataset)
    np.savez("als.npz", user_factors=users, item_factors=items, regularization=5.0, alpha=1.0)


def index() -> None:
    dataset = small()
    tables(dataset, "pairs.csv")
    implicit_model(dataset)


def implicit() -> None:
    """Train where the page itself cannot, because implicit is not there."""
    dataset = small()
    tables(dataset, "events.csv")
    withdrawn(dataset)
    implicit_model(dataset)
    listed("users.txt", dataset.users.names)
    listed("items.txt", dataset.items.names)


def recbole() -> None:
    dataset = small()
    tables(dataset, "pairs.csv")
    users, items = als(dataset)
    padded = [torch.cat([torch.zeros(1, table.shape[1]), torch.from_numpy(table)]) for table in (users, items)]
    state = OrderedDict(zip(("user_embedding.weight", "item_embedding.weight"), padded, strict=True))
    torch.save({"state_dict": state}, "BPR.pth")
    listed("users.txt", ["[PAD]", *dataset.users.names])
    listed("items.txt", ["[PAD]", *dataset.items.names])
    listed("gone.txt", dataset.users.names[:3])


def withdrawn(dataset: Dataset) -> None:
    events = dataset.to_frames()["interactions"]
    events.filter(pl.col("split") == "train")["user", "item"][:15].write_csv("withdrawn.csv")


def run() -> None:
    """A trained run `original` of `data`, with the lists of ids that the pages name."""
    dataset = small()
    files.save(dataset, Path("data"))
    jobs.train("data", "mgcn", "original")
    listed("erased.txt", dataset.users.names[:20])
    listed("photographer.txt", dataset.items.names[:20])
    withdrawn(dataset)
    listed("closed.csv", [*dataset.users.names[20:22], "nobody"])


def own_model() -> None:
    """`als.npz` with rows in the order of the sorted ids, lists of these, and `pairs.csv` in another order."""
    train = small().train
    named = {"user": [f"u{row}" for row in train.users], "item": [f"i{row}" for row in train.items]}
    pl.DataFrame(named).write_csv("pairs.csv")
    dataset = opened_data("pairs.csv")
    users, items = als(dataset)
    orders = [np.argsort(ids.names.to_numpy()) for ids in (dataset.users, dataset.items)]
    listed("users.txt", dataset.users.names.gather(orders[0]))
    listed("items.txt", dataset.items.names.gather(orders[1]))
    factors = {"user_factors": users[orders[0]], "item_factors": items[orders[1]]}
    np.savez("als.npz", **factors, regularization=5.0, alpha=1.0)
    listed("gone.txt", named["user"][:1])


def licence() -> None:
    run()
    listed("ended.txt", ["i00003", "i00007", "nobody"])


def run_after() -> None:
    run()
    jobs.unlearn("original", {"users": ["u00001"]}, "after", "unlink")


def erasure() -> None:
    run()
    listed("more.txt", ["u00099"])


PREPARED: dict[str, Callable[[], None]] = {
    "README.md": own_model,
    "docs/index.md": index,
    "docs/export.md": run_after,
    "docs/how-to/data.md": imported.make,
    "docs/how-to/erasure.md": erasure,
    "docs/how-to/implicit.md": implicit,
    "docs/how-to/licence.md": licence,
    "docs/how-to/modality.md": run,
    "docs/how-to/recbole.md": recbole,
    "docs/your-model.md": own_model,
}
