"""What is measured on: made data by default, a folder that is given, or the well-known ones below $MMRECUN_DATA."""

import os
from pathlib import Path

from mmrecun.bench.source import VARIABLE
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

KNOWN = ("tiktok", "baby")
LIKE_TIKTOK = (9_000, 6_700, 68_000)


def made(users: int, items: int, interactions: int, modalities: int = 2, width: int = 128) -> Dataset:
    """Made data of these sizes; its modalities are called m0, m1, ..."""
    names = tuple(f"m{number}" for number in range(modalities))
    groups = min(32, items)
    config = SyntheticConfig(
        users=users, items=items, interactions=interactions, groups=groups, modalities=names, width=width
    )
    return make(config, Seed(0))[0]


def opened(folder: Path) -> Dataset:
    """A dataset folder, or a folder to import."""
    if (folder / "dataset.toml").is_file():
        return files.load(folder)
    return read(folder, ImportOptions(name=folder.name)).dataset


def present() -> list[Path]:
    """The well-known datasets that are there."""
    root = os.environ.get(VARIABLE)
    return [Path(root) / name for name in KNOWN if (Path(root) / name).is_dir()] if root else []


def chosen(data: list[Path], sizes: tuple[int, int, int]) -> list[Dataset]:
    """The datasets in `data`; without any, made data of `sizes` and the well-known ones that are there."""
    if data:
        return [opened(folder) for folder in data]
    return [made(*sizes), *(opened(folder) for folder in present())]
