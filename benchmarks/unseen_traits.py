"""Rows that a request touched, sought by traits that neither `mmrecun` nor the audit ever looks at.

`mmrecun` gives touched rows the lengths and cosines of other rows, and the audit looks for marks in lengths and
cosines. Whether the rows can still be told is asked here with other traits: the scores of a row's retained pairs and of
random ones, the shape of its coordinates, its cosine three hops away.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from benchmarks.against_gold import SEED, court_of
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, trials
from benchmarks.verdicts import Court, Kept
from mmrecun.arrays import Doubles
from mmrecun.auditing.classifier import cross_validated
from mmrecun.auditing.marks import AffectedRows
from mmrecun.auditing.membership import matched_auc
from mmrecun.data.graph import user_item_graph
from mmrecun.data.sparse import product
from mmrecun.evaluation.row_traits import normal_scores, structure
from mmrecun.models.base import Recommender
from mmrecun.models.inference import vectors_of

METHODS = ("unlink", "mmrecun")


def traits(model: Recommender, court: Court, users: bool) -> Doubles:
    """Measure every retained user or item: float64 [R, 13]."""
    data = court.partition.retained
    vectors = vectors_of(model, data)
    sides = [side.detach().numpy().astype(np.float64) for side in (vectors.users, vectors.items)]
    tables = [table.weight.detach() for table in model.id_tables().values()]
    train = data.train
    scores = (sides[0][train.users] * sides[1][train.items]).sum(axis=1)
    rows, partners = (train.users, train.items) if users else (train.items, train.users)
    own, other = (sides, tables) if users else (sides[::-1], tables[::-1])
    table = other[0].numpy().astype(np.float64)
    cosines = cosine_similarity(other[0][rows], other[1][partners]).numpy()
    random = own[0] @ own[1][np.random.default_rng(0).permutation(len(own[1]))[:200]].T
    z = (table - table.mean(axis=1, keepdims=True)) / table.std(axis=1, keepdims=True).clip(1e-9)
    mean, variance, least, most = _over_pairs(scores, rows, len(table))
    high = np.quantile(random, 0.98, axis=1)
    of_random = random.mean(axis=1), random.std(axis=1), high
    shape = (z**4).mean(axis=1), np.abs(z).max(axis=1), (z**3).mean(axis=1)
    weakest = _over_pairs(cosines, rows, len(table))[2]
    columns = (mean, variance, least, most, *of_random, *shape, _three_hops(court, tables, users), weakest, mean - high)
    return np.column_stack(columns)


def _over_pairs(values: np.ndarray, rows: np.ndarray, size: int) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Mean, variance, least and greatest value over each row's pairs; 0 where there is none."""
    count = np.bincount(rows, minlength=size).clip(1)
    mean = np.bincount(rows, values, size) / count
    variance = np.bincount(rows, values**2, size) / count - mean**2
    least, most = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(least, rows, values)
    np.maximum.at(most, rows, values)
    return mean, variance, np.where(np.isfinite(least), least, 0), np.where(np.isfinite(most), most, 0)


def _three_hops(court: Court, tables: Sequence[torch.Tensor], users: bool) -> Doubles:
    data, own = court.partition.retained, torch.cat(list(tables))
    graph = user_item_graph(data.train, len(data.users), len(data.items), own.device).forward
    far = product(graph, product(graph, product(graph, own)))
    whole = cosine_similarity(own, far).double().numpy()
    return whole[: len(data.users)] if users else whole[len(data.users) :]


def attack(affected: AffectedRows, inputs: Doubles) -> float:
    """AUC of a classifier that was shown four fifths of the rows."""
    scores = cross_validated(
        normal_scores(inputs[affected.rows], affected.strata),
        affected.affected,
        np.arange(len(affected.rows)),
        np.random.default_rng(1),
    )
    estimate = matched_auc(*affected.groups(scores))
    assert estimate is not None
    return estimate.value


def rows_of(court: Court) -> list[dict[str, Any]]:
    """AUCs of Golds and of methods, for users and for items; the level is that of the retained pairs alone."""
    data = court.partition.retained
    graph = user_item_graph(data.train, len(data.users), len(data.items), torch.device("cpu")).forward
    shown = structure(graph, len(data.users))
    models = {f"Gold {number}": gold.model for number, gold in enumerate(court.golds, 1)}
    for name in METHODS:
        models[name] = court.unlearned(name, SEED)
    found = []
    for side, affected, pairs in (
        ("users", court.setup.affected_user_rows, shown.users),
        ("items", court.setup.affected_item_rows, shown.items),
    ):
        if min(int(affected.affected.sum()), int((~affected.affected).sum())) < 20:
            continue
        aucs = {
            name: round(attack(affected, np.column_stack([pairs, traits(model, court, side == "users")])), 3)
            for name, model in models.items()
        }
        about = {"data": court.data, "model": court.model, "request": court.name, "rows": side}
        found.append(about | {"level": round(attack(affected, pairs), 3)} | aucs)
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Attack every request of the grid whose name holds a word that is given."""
    parser = arguments("unseen_traits", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby bprmf' or 'pairs5'")
    options = parser.parse_args(given)
    write(options.out, "unseen_traits", [Table("AUC of an attack by unseen traits", _table(options))])


def _table(options: Namespace) -> list[dict[str, Any]]:
    kept, found = Kept(options.kept), list[dict[str, Any]]()
    for trial, name in trials(options.only):
        found += rows_of(court_of(kept, trial, name, DRAW, 2))
        print(*found[-2:], sep="\n", flush=True)
    return found


if __name__ == "__main__":
    main()
