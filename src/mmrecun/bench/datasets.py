"""The datasets of a bench: a dataset folder, another tool's files, or synthetic data."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import NonNegativeInt, model_validator

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.errors import ConfigError
from mmrecun.rng import Seed
from mmrecun.settings import Settings

VARIABLE = "MMRECUN_DATA"


class DatasetSpec(Settings):
    """One dataset of a bench: either `path` or `synthetic`.

    Attributes:
        name: label of its rows.
        path: a dataset folder, or a folder or file to import; relative to the spec, then to `MMRECUN_DATA`.
        format: format of files to import.
        options: options of the import, as in `ImportOptions`; paths are relative to the folder of the source.
        synthetic: settings of synthetic data.
        seed: random seed of synthetic data.
    """

    name: str
    path: Path | None = None
    format: Format = Format.AUTO
    options: dict[str, Any] = {}
    synthetic: SyntheticConfig | None = None
    seed: NonNegativeInt = 7

    @property
    def label(self) -> str:
        """The label of its rows."""
        return self.name

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.synthetic is None):
            raise ValueError(f"dataset '{self.name}' needs either a path or synthetic sizes")
        return self


def open_dataset(spec: DatasetSpec, base: Path) -> Dataset:
    """Read, import or make the dataset of `spec`; relative paths start from `base`.

    Raises:
        ConfigError: when the path does not exist, or an option of the import is unknown.
        DataError: when its files cannot be used.
    """
    if spec.synthetic is not None:
        return make(spec.synthetic, Seed(spec.seed))[0]
    place = _find(spec, base)
    if (place / "dataset.toml").is_file():
        return files.load(place)
    return read(place, _options(spec, place), spec.format).dataset


def _find(spec: DatasetSpec, base: Path) -> Path:
    assert spec.path is not None
    roots = [base] + ([Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else [])
    tried = list(dict.fromkeys((root / spec.path).expanduser() for root in roots))
    for place in tried:
        if place.exists():
            return place
    where = " nor at ".join(str(place) for place in tried)
    raise ConfigError(
        f"dataset '{spec.name}' is not at {where}; put it there, or name the folder above it in {VARIABLE}"
    )


def _options(spec: DatasetSpec, place: Path) -> ImportOptions:
    options = ImportOptions.of({"name": spec.name, **spec.options}, f"options of dataset '{spec.name}'")
    folder = place if place.is_dir() else place.parent
    beside = {name: folder / path for name in ("items", "users") if (path := getattr(options, name)) is not None}
    features = {name: folder / path for name, path in options.features.items()}
    return options.model_copy(update={**beside, "features": features} if features else beside)
