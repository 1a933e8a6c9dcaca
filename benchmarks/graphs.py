"""From files to a dataset, and from a dataset to the graphs that models read, against plain ways of doing it."""

import csv
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks import plain
from benchmarks.cases import chosen
from benchmarks.page import Table, arguments, write
from benchmarks.timing import Spread, interleaved, ratios
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import RequiredInputs, build_inputs, neighbour_graph
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.device import prepare

CPU = torch.device("cpu")
NEIGHBOURS = 10
MOST_DENSE = 30_000


def as_csv(dataset: Dataset, path: Path) -> None:
    """Write the pairs with their splits, as another tool would hand them over."""
    pairs = dataset.interactions
    names = pl.Series(["train", "valid", "test"]).gather(pairs.splits)
    columns = {"user": dataset.users.names.gather(pairs.users), "item": dataset.items.names.gather(pairs.items)}
    pl.DataFrame(columns | {"split": names}).write_csv(path)


def plain_import(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Rows of users and items, line by line through dictionaries."""
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        pairs = [
            (users.setdefault(line["user"], len(users)), items.setdefault(line["item"], len(items)))
            for line in csv.DictReader(file)
        ]
    left, right = np.array(pairs, dtype=np.int64).T
    return left, right


def measured(dataset: Dataset, rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of one dataset; where an [I, I] array would be too large the plain way is left out."""
    as_csv(dataset, folder / "pairs.csv")
    files.save(dataset, folder / "dataset")
    users, items = len(dataset.users), len(dataset.items)
    works: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {
        "import of a CSV": (
            lambda: read(folder / "pairs.csv", ImportOptions()),
            lambda: plain_import(folder / "pairs.csv"),
        ),
        "dataset folder, read and checked": (lambda: files.load(folder / "dataset"), None),
        "user-item graph": (
            lambda: build_inputs(dataset, RequiredInputs(user_item=True), CPU),
            lambda: plain.adjacency(dataset.train, users, items),
        ),
    }
    for name, modality in dataset.modalities.items():
        values, present = modality.values(), modality.present
        works[f"{NEIGHBOURS} nearest of each item, {name} ({modality.width})"] = (
            lambda values=values, present=present: neighbour_graph(values, present, present, NEIGHBOURS),
            (lambda values=values: plain.neighbours(values, NEIGHBOURS)) if items <= MOST_DENSE else None,
        )
    return [_row(dataset, work, *ways, rounds) for work, ways in works.items()]


def _row(
    dataset: Dataset, work: str, ours: Callable[[], object], other: Callable[[], object] | None, rounds: int
) -> dict[str, Any]:
    seconds = interleaved({"ours": ours} | ({"plain": other} if other else {}), rounds)
    return {
        "data": dataset.name,
        "work": work,
        "pairs": len(dataset.interactions),
        "items": len(dataset.items),
        "seconds": Spread.of(seconds["ours"]),
        "plain / ours": ratios(seconds["plain"], seconds["ours"]) if other else None,
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure every dataset."""
    options = arguments("graphs", rounds=7).parse_args(given)
    prepare()
    rows: list[dict[str, Any]] = []
    for dataset in chosen(options.data, options.sizes):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(dataset, options.rounds, Path(folder))
    write(options.out, "graphs", [Table("Data and graphs", rows)])


if __name__ == "__main__":
    main()
