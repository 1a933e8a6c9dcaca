"""Models of Cornac in memory: BPR and MF. Cornac's files are pickles, which must not be opened."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mmrecun.adapters.biased import LAST
from mmrecun.adapters.embeddings import HISTORIES, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.interactions import WEIGHT
from mmrecun.adapters.ratings import RatingsConfig, UnlearnRatings
from mmrecun.adapters.row_map import Array, RowMap, ids_in_row_order
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import ArtifactError, DataError
from mmrecun.models.base import Recommender

_TRAINING_SET_LIMIT = (
    "the training set that the model kept is taken out of the copy; the one that you fitted it on is not reached"
)
_NO_FILE = "Cornac's files are pickles; use model_of(...) and save it yourself with its own save"


@dataclass(frozen=True)
class CornacModel:
    """A fitted model; a copy of it gets the changed rows.

    Attributes:
        model: the model of Cornac.
        rated: whether it predicts ratings (MF), with a bias for users as well.
    """

    model: Any
    rated: bool
    name: str = "cornac"
    suffix: str = ""
    limits: tuple[str, ...] = (_TRAINING_SET_LIMIT, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return a copy with the rows of the users and items that stay.

        Forgotten users are unknown to it, forgotten items come last.
        """
        users, items = rows_of(model)
        changed = copy.copy(self.model)
        width = self.model.u_factors.shape[1]
        changed.u_factors = row_map.put_users(self.model.u_factors, users[:, :width])
        changed.i_factors = row_map.put_items(self.model.i_factors, items[:, :width])
        changed.i_biases = row_map.put_items(self.model.i_biases, items[:, -1])
        changed.i_biases[row_map.empty_items] = LAST
        if self.rated:
            changed.u_biases = row_map.put_users(self.model.u_biases, users[:, width])
        changed.uid_map = _without_rows(self.model.uid_map, row_map.empty_users)
        changed.iid_map = _without_rows(self.model.iid_map, row_map.empty_items)
        for name in ("train_set", "val_set", "_user_ids", "_item_ids"):
            if hasattr(changed, name):
                setattr(changed, name, None)
        return replace(self, model=changed)

    def write(self, path: Path) -> None:
        """Refuse to write a file.

        Raises:
            ArtifactError: always.
        """
        raise ArtifactError(f"{path}: {_NO_FILE}")


def load(
    model: Any, valid: list[tuple[Any, ...]] | None = None, test: list[tuple[Any, ...]] | None = None
) -> ForeignModel:
    """Take a fitted BPR or MF of Cornac with the training set that it keeps.

    Args:
        model: the model; not changed.
        valid, test: held-out (user, item, ...) with the ids that Cornac was given; unknown ones are left out.

    Raises:
        ArtifactError: when it is not a fitted BPR or MF.
        DataError: when a held-out pair is a training pair.
    """
    kind = type(model).__name__
    if kind not in ("BPR", "MF") or getattr(model, "u_factors", None) is None:
        raise ArtifactError(
            f"{kind} is not a fitted BPR or MF of Cornac; for others use adapters.vectors with its factors"
        )
    if getattr(model, "train_set", None) is None:
        raise ArtifactError(f"this {kind} has no training set any more; load it in the process that fitted it")
    dataset = dataset_of_model(model, valid or [], test or [])
    return of_dataset(model, dataset)


def of_dataset(model: Any, dataset: Dataset) -> ForeignModel:
    """Take a fitted model with separate data, such as those that another one retained; ids as in `model.uid_map`."""
    rated = type(model).__name__ == "MF"
    users, items = _rows(model, rated)
    sizes = len(users), len(items)
    first, second = ids_in_row_order(model.uid_map.items(), sizes[0]), ids_in_row_order(model.iid_map.items(), sizes[1])
    row_map = RowMap.of(dataset, first, second, sizes)
    artifact = CornacModel(model, rated)
    if rated:
        mean = float(model.global_mean)
        exact = UnlearnRatings(RatingsConfig(regularization=float(model.lambda_reg), mean=mean))
        return ForeignModel(dataset, as_recommender(users, items, row_map), artifact, row_map, exact)
    ours = as_recommender(users, items, row_map, l2=float(model.lambda_reg), biased=True)
    return ForeignModel(dataset, ours, artifact, row_map)


def model_of(model: ForeignModel) -> Any:
    """Return the model of Cornac, of the same class.

    Raises:
        ArtifactError: for a model from elsewhere.
    """
    if not isinstance(model.artifact, CornacModel):
        raise ArtifactError(f"this model came from {model.artifact.name}, not from Cornac")
    return model.artifact.model


def _rows(model: Any, rated: bool) -> tuple[Array, Array]:
    """Return the rows as one dot product: [p, 1] and [q, b], or for ratings [p, b, 1] and [q, 1, b]."""
    users, items = np.asarray(model.u_factors), np.asarray(model.i_factors)
    ones = np.ones((len(users), 1), np.float32), np.ones((len(items), 1), np.float32)
    bias = np.asarray(model.i_biases)[:, None]
    if not rated:
        return np.hstack([users, ones[0]]), np.hstack([items, bias])
    return np.hstack([users, np.asarray(model.u_biases)[:, None], ones[0]]), np.hstack([items, ones[1], bias])


def _without_rows(ids: Any, rows: Array) -> Any:
    gone = set(rows.tolist())
    return type(ids)((name, row) for name, row in ids.items() if row not in gone)


def dataset_of_model(model: Any, valid: list[tuple[Any, ...]], test: list[tuple[Any, ...]]) -> Dataset:
    """Return the training set that a model keeps, with held-out pairs of its users and items.

    Raises:
        DataError: when a user or item of the training set has no id.
    """
    matrix = model.train_set.matrix.tocoo()
    rows = [(matrix.row, matrix.col, np.asarray(matrix.data, dtype=np.float64), Split.TRAIN)]
    users, items = ({str(name): row for name, row in ids.items()} for ids in (model.uid_map, model.iid_map))
    for pairs, split in ((valid, Split.VALID), (test, Split.TEST)):
        known = [pair for pair in pairs if str(pair[0]) in users and str(pair[1]) in items]
        who, what = [users[str(pair[0])] for pair in known], [items[str(pair[1])] for pair in known]
        value = [float(pair[2]) if len(pair) > 2 else 1.0 for pair in known]
        rows.append((np.array(who, np.int64), np.array(what, np.int64), np.array(value), split))
    first, second, values = (np.concatenate([row[at] for row in rows]) for at in range(3))
    labels = np.concatenate([np.full(len(row[0]), row[3], dtype=np.int8) for row in rows])
    if model.train_set.num_users > len(users) or model.train_set.num_items > len(items):
        raise DataError("the training set of this model has users or items without an id")
    trained = Interactions(first.astype(np.int64), second.astype(np.int64), labels, pl.DataFrame({WEIGHT: values}))
    known_users, known_items = (ids_in_row_order(ids.items(), len(ids)) for ids in (model.uid_map, model.iid_map))
    return Dataset("cornac", IdMap.of("user", known_users), IdMap.of("item", known_items), trained)
