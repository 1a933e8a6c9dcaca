"""An MLflow model that lists items for users; it is loaded by this module, so that nothing is pickled."""

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.torch import load_file

from mmrecun import __version__
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.data.parquet import read_parquet, write_parquet
from mmrecun.evaluation.ranking import score_pairs, top_k
from mmrecun.exports.contents import ExportContents
from mmrecun.exports.vectors import write_as_safetensors
from mmrecun.extras import library
from mmrecun.progress import Progress

_LENGTH = 10
_MAKING, _LISTS = ".making", "lists"


def write_mlflow(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write an MLflow model folder: `MLmodel`, `requirements.txt` and so on, and vectors and pairs in `data/lists/`.

    `predict` takes a frame with a column `user` and the parameter `k`. It returns one row for each item: `user`,
    `item`, `rank` (from 1) and `score`.

    Raises:
        ConfigError: when mlflow is not installed.
    """
    source = folder / _LISTS
    source.mkdir()
    write_as_safetensors(contents, source, progress)
    pairs = contents.run.dataset.interactions
    write_parquet(pl.DataFrame({"user_row": pairs.users, "item_row": pairs.items}), source / "seen.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its type hints, and of an example, which would name a user
        _save(contents, source, folder / _MAKING)
    shutil.rmtree(source)  # mlflow has copied it into the folder that it always makes
    for path in (folder / _MAKING).iterdir():
        path.rename(folder / path.name)
    (folder / _MAKING).rmdir()


def _save(contents: ExportContents, source: Path, path: Path) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is loaded
    pyfunc, models, types = (
        library(f"mlflow.{name}", "mlflow", "an export to MLflow") for name in ("pyfunc", "models", "types")
    )
    answer = (("string", "user"), ("string", "item"), ("long", "rank"), ("double", "score"))
    pyfunc.save_model(
        path=str(path),
        loader_module=__name__,
        data_path=str(source),
        signature=models.ModelSignature(
            inputs=types.Schema([types.ColSpec("string", "user")]),
            outputs=types.Schema([types.ColSpec(*column) for column in answer]),
            params=types.ParamSchema([types.ParamSpec("k", "long", _LENGTH)]),
        ),
        metadata=contents.record.model_dump(mode="json"),
        pip_requirements=[f"mmrecun=={__version__}", "pandas"],
    )


def _load_pyfunc(data_path: str) -> "Lists":
    """Load the model; MLflow calls this by its name."""
    return Lists(Path(data_path))


class Lists:
    """The best items of users, from a folder of vectors and pairs."""

    def __init__(self, folder: Path) -> None:
        tables = load_file(folder / "vectors.safetensors")
        self.users, self.items = tables["users"], tables["items"]
        self.user_ids = IdMap("user", read_parquet(folder / "users.parquet", ("id",))["id"])
        self.item_ids = IdMap("item", read_parquet(folder / "items.parquet", ("id",))["id"])
        seen = read_parquet(folder / "seen.parquet", ("user_row", "item_row"))
        users, items = (seen[name].to_numpy() for name in ("user_row", "item_row"))
        self.seen = Interactions(users, items, np.zeros(seen.height, dtype=np.int8))

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:
        """Return a pandas frame of `user`, `item`, `rank` and `score` for the users of `frame["user"]`.

        Raises:
            DataError: for an unknown user.
        """
        k = int((params or {}).get("k", _LENGTH))
        rows = self.user_ids.rows([str(user) for user in frame["user"]])
        lists = top_k(self.users, self.items, self.seen, rows, min(k, len(self.items)))
        places, ranks = np.nonzero(lists >= 0)
        owners, items = rows[places], lists[places, ranks]
        listed = {
            "user": self.user_ids.names.gather(owners).to_list(),
            "item": self.item_ids.names.gather(items).to_list(),
            "rank": ranks + 1,
            "score": score_pairs(self.users, self.items, owners, items).double().numpy(),
        }
        return library("pandas", "mlflow", "an MLflow model").DataFrame(listed)
