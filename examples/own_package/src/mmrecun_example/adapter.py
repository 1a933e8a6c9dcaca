"""Factors of a singular value decomposition in an `.npz` file, as somebody's own script saves them."""

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np

from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.row_map import Ids, RowMap
from mmrecun.atomic import replace_file
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError
from mmrecun.models.base import Recommender


@dataclass(frozen=True)
class SVDFile:
    """Two arrays, `u` [U, D] and `v` [I, D]."""

    u: np.ndarray
    v: np.ndarray
    name: str = "svd"
    suffix: str = ".npz"
    limits: tuple[str, ...] = (SERVED_ITEMS, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return the factors of whoever stays, in their rows."""
        users, items = rows_of(model)
        return replace(self, u=row_map.put_users(self.u, users), v=row_map.put_items(self.v, items))

    def write(self, path: Path) -> None:
        """Write both arrays."""
        buffer = BytesIO()
        np.savez(buffer, u=self.u, v=self.v)
        replace_file(path, buffer.getvalue())


class SVDFiles(Adapter):
    """The `.npz` of a decomposition."""

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read both arrays."""
        try:
            with np.load(path, allow_pickle=False) as file:
                u, v = file["u"], file["v"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, AttributeError, TypeError):
            raise ArtifactError(f"{path}: not an .npz file with the arrays u and v") from None
        row_map = RowMap.of(data, users, items, (len(u), len(v)))
        return ForeignModel(data, as_recommender(u, v, row_map), SVDFile(u, v), row_map)
