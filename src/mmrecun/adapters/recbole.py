"""Checkpoints of RecBole: BPR, LightGCN, and any model whose two tables can be named."""

from pathlib import Path

from pydantic import NonNegativeInt

from mmrecun.adapters import checkpoints
from mmrecun.adapters.adapter import Adapter, AdapterConfig, Tables
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.row_map import Ids
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ConfigError

_USERS, _ITEMS, _STATE = "user_embedding.weight", "item_embedding.weight", "state_dict/"


class RecBoleConfig(AdapterConfig):
    """Settings of reading a checkpoint of RecBole.

    Attributes:
        layers: `n_layers` of LightGCN, 2 unless you set it; 0 for BPR and other plain dot products.
        tables: names of the two tables, for other models.
    """

    layers: NonNegativeInt = 0
    tables: Tables = (_USERS, _ITEMS)


class RecBoleCheckpoints(Adapter):
    """The `.pth` that RecBole's trainer saves."""

    Config = RecBoleConfig
    config: RecBoleConfig

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read it; see `load`.

        Raises:
            ConfigError: without the tokens, which are not in the file.
        """
        if users is None or items is None:
            raise ConfigError(
                f"{path}: a checkpoint of RecBole does not say whose row is whose; write the lists "
                "dataset.field2id_token['user_id'] and ['item_id'] to files and name these as users and items"
            )
        return load(path, data, users, items, self.config.layers, self.config.tables)


def load(
    path: str | Path,
    data: Dataset | str | Path,
    users: Ids,
    items: Ids,
    layers: int = 0,
    tables: Tables = (_USERS, _ITEMS),
) -> ForeignModel:
    """Read a checkpoint that RecBole's trainer saved; nothing of it is run.

    A checkpoint does not hold the ids of its rows. RecBole's dataset does, in memory:
    `dataset.field2id_token["user_id"].tolist()`, which begins with "[PAD]".

    Args:
        path: the `.pth` file.
        data: what it was trained on.
        users, items: RecBole's tokens, in order, or files that list them, one a line.
        layers: `n_layers` of LightGCN, 2 unless you set it; 0 for BPR and other plain dot products.
        tables: names of the two tables, for other models.

    Raises:
        ArtifactError: when the file is not of this format, or has no such table.
        DataError: when rows and ids do not fit together.
    """
    named = tuple(f"{_STATE}{table}" for table in tables)
    return checkpoints.load(path, named[0], named[1], data, users, items, layers, name="recbole")
