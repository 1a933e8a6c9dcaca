"""The contract of every adapter of files: settings of reading a file, and a method that reads it."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.row_map import Ids
from mmrecun.data.dataset import Dataset
from mmrecun.settings import Settings


def _two_names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    names = tuple(name.strip() for name in value.split(","))
    if len(names) != 2:
        raise ValueError("name the table of users and that of items, with a comma between them")
    return names


Tables = Annotated[tuple[str, str], BeforeValidator(_two_names)]
"""Names of the tables of users and of items; as text with a comma between them, such as "user.weight,item.weight"."""


class AdapterConfig(Settings):
    """Settings that every adapter has.

    Attributes:
        users, items: files with the id of each row of the model, one a line, in order, padding rows included; None
            if the rows are in the order of the data.
    """

    users: Path | None = None
    items: Path | None = None


class Adapter:
    """One format of other libraries' models. A subclass states its settings and reads a file.

    The model that it returns holds an `Artifact`, which writes the same format.
    """

    Config: ClassVar[type[AdapterConfig]] = AdapterConfig
    config: AdapterConfig

    def __init__(self, config: AdapterConfig) -> None:
        self.config = config

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read a model, without running anything in its file.

        Args:
            path: a file, or a folder for formats of several files.
            data: the data that it was trained on.
            users, items: ids of its rows in order; None for the order of `data`.

        Raises:
            ArtifactError: when the file is not of this format.
            DataError: when rows and ids do not fit together.
        """
        raise NotImplementedError
