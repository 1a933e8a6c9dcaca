"""What is measured on: made data by default, a folder that is given, or the well-known ones below $MMRECUN_DATA."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from mmrecun.bench.datasets import VARIABLE
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import Format, ImportOptions
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
    """Return a dataset folder, or a folder to import."""
    if (folder / "dataset.toml").is_file():
        return files.load(folder)
    return read(folder, ImportOptions(name=folder.name)).dataset


def present() -> list[Path]:
    """Return the well-known datasets that are there; none without $MMRECUN_DATA.

    Raises:
        SystemExit: when the folder that it names has none of them.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        return []
    found = [Path(root) / name for name in KNOWN if (Path(root) / name).is_dir()]
    if not found:
        raise SystemExit(
            f"{VARIABLE}={root}: holds none of {', '.join(KNOWN)}; mend it, or unset it to do without them"
        )
    return found


def chosen(data: list[Path], sizes: tuple[int, int, int]) -> list[Dataset]:
    """Return the datasets in `data`; without any, made data of `sizes` and the well-known ones that are there."""
    if data:
        return [opened(folder) for folder in data]
    return [made(*sizes), *(opened(folder) for folder in present())]


def imported(name: str, folder: Path) -> Path:
    """One of the four well-known datasets as a dataset folder `folder/name`, imported when it is first asked for."""
    place = folder / name
    if place.is_dir():
        return place
    root = os.environ.get(VARIABLE)
    if not root:
        raise SystemExit(f"{VARIABLE} is not set; set it to the folder that holds the data of {name}")
    source = Path(root) / name.replace("ml100k", "ml-100k")
    folder.mkdir(parents=True, exist_ok=True)
    options = {"name": name, "split": "random"}
    if name == "citeulike":
        features = {kind: source / f"{kind}.parquet" for kind in ("tags", "citations")}
        source = source / "interactions.csv"
    elif name == "ml100k":
        features = {"text": movie_text(source / "ml-100k.item", folder / "ml100k-text.parquet")}
        pairs = pl.read_csv(source / "ml-100k.inter", separator="\t").select(
            pl.nth(0).alias("user"), pl.nth(1).alias("item")
        )
        source = folder / "ml100k.csv"
        pairs.write_csv(source)
    else:
        files.save(opened(source), place)
        return place
    keys = {"user": "user", "item": "item", "features": features}
    files.save(read(source, ImportOptions.of(options | keys), Format.AUTO).dataset, place)
    return place


def movie_text(items: Path, out: Path, width: int = 64) -> Path:
    """Text features of MovieLens' items, from titles, genres and decades: TF-IDF, then a truncated SVD."""
    table = pl.read_csv(items, separator="\t", quote_char=None, infer_schema_length=0)
    documents = [
        [*(title or "").lower().split(), *(f"g:{genre}" for genre in (genres or "").split() * 2), f"y:{str(year)[:3]}"]
        for _, title, year, genres in table.iter_rows()
    ]
    seen = Counter(word for document in documents for word in set(document))
    place = {word: column for column, word in enumerate(sorted(word for word, count in seen.items() if count > 1))}
    cells = [(row, place[word]) for row, document in enumerate(documents) for word in document if word in place]
    rows, columns = np.array(cells).T
    counts = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(documents), len(place)))
    counts = counts @ sp.diags_array(np.log(len(documents) / (counts > 0).sum(axis=0)))
    lengths = np.sqrt(counts.multiply(counts).sum(axis=1))
    left, values, _ = svds(
        sp.diags_array(1 / np.maximum(lengths, 1e-9)) @ counts, k=width, v0=np.ones(min(counts.shape))
    )
    features = pl.DataFrame((left * values).astype(np.float32), schema=[f"f{column}" for column in range(width)])
    features.insert_column(0, table.to_series(0).alias("id")).write_parquet(out)
    return out
