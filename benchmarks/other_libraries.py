"""Models of other libraries on TikTok: unlearned here, beside one retraining by their library.

`python -m benchmarks.other_libraries [als|bpr|lightgcn|mgcn]`, in an environment with implicit (`make test-adapters`
builds one), with MMRECUN_DATA naming a folder that has `tiktok`, for LightGCN with MMRECUN_RECBOLE_PYTHON naming a
Python that has RecBole, and for MGCN with MMRECUN_MMREC naming a clone of MMRec. One seed each: the spread of
retrainings is not measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from mmrecun import Dataset, ForgetRequest
from mmrecun.adapters import implicit, mmrec, recbole
from mmrecun.adapters.foreign import ForeignModel, seconds_of
from mmrecun.adapters.mmrec_layouts import MMRecConfig
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read

EXAMPLES = Path(__file__).parents[1] / "examples"
EPOCHS = {"LightGCN": 15, "MGCN": 10}


def dataset(features: bool) -> Dataset:
    """TikTok with its own split, without its features where models do not read them."""
    data = read(Path(os.environ["MMRECUN_DATA"]) / "tiktok", ImportOptions()).dataset
    return data if features else Dataset(data.name, data.users, data.items, data.interactions)


def matrix(data: Dataset, part: Dataset) -> sp.csr_matrix:
    """Training pairs of `part` by the rows of `data`, float32 [U, I]."""
    users = data.users.rows(part.users.names)[part.train.users]
    items = data.items.rows(part.items.names)[part.train.items]
    shape = len(data.users), len(data.items)
    return sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)


def of_implicit(kind: str, data: Dataset, part: Dataset, seed: int) -> ForeignModel:
    """Train a model of implicit on `part`, with the rows of `data`."""
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking

    settings: dict[str, Any] = {"factors": 64, "num_threads": 1, "random_state": seed}
    model = (
        AlternatingLeastSquares(regularization=5.0, **settings)
        if kind == "als"
        else BayesianPersonalizedRanking(learning_rate=0.03, iterations=100, **settings)
    )
    pairs = matrix(data, part)
    started = time.perf_counter()
    model.fit(pairs, show_progress=False)
    seconds = time.perf_counter() - started
    return seconds_of(implicit.load(model, part, data.users.names, data.items.names), seconds)


def of_recbole(part: Dataset, seed: int, folder: Path) -> ForeignModel:
    """Train RecBole's LightGCN on `part` in a process of its own."""
    sys.path.insert(0, str(EXAMPLES))
    import recbole_checkpoints as example

    place = folder / f"seed{seed}"
    example.write(part, place)
    told = example.train("LightGCN", place, seed, EPOCHS["LightGCN"])
    model = recbole.load(told["file"], part, told["user"], told["item"], layers=example.LAYERS["LightGCN"])
    return seconds_of(model, told["seconds"])


def of_mmrec(part: Dataset, seed: int, folder: Path) -> ForeignModel:
    """Train MMRec's MGCN on `part`, all of whose items stay, in a process of its own."""
    place = folder / f"seed{seed}" / "tiktok"
    place.mkdir(parents=True)
    pairs = part.interactions
    columns = {"userID": pairs.users, "itemID": pairs.items, "x_label": pairs.splits}
    pl.DataFrame(columns).write_csv(place / "tiktok.inter", separator="\t")
    for file in (Path(os.environ["MMRECUN_DATA"]) / "tiktok").glob("*_feat.npy"):
        np.save(place / file.name, np.load(file).astype(np.float32))
    asked = [os.environ["MMRECUN_MMREC"], place.parent, EPOCHS["MGCN"], seed, place / "MGCN.pth"]
    command = [sys.executable, "-m", "benchmarks.mmrec", *map(str, asked)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=EXAMPLES.parent).stdout
    model = mmrec.load(place / "MGCN.pth", part, config=MMRecConfig(text="audio"))
    return seconds_of(model, float(told.split()[-1]))


def compare(name: str, folder: Path) -> None:
    """Train, forget two per cent of the users, train again, audit; print a line for each state."""
    data = dataset(features=name == "mgcn")
    drawn = np.random.default_rng(0).permutation(data.users.names.to_numpy())
    request = ForgetRequest(users=drawn[: len(drawn) // 50].tolist())

    def trained(part: Dataset, seed: int) -> ForeignModel:
        if name == "mgcn":
            return of_mmrec(part, seed, folder)
        return of_recbole(part, seed, folder) if name == "lightgcn" else of_implicit(name, data, part, seed)

    mine = trained(data, 1)
    mine.unlearn(request)  # the first call loads PyTorch's parts; the second is reported
    less = mine.unlearn(request)
    gold = trained(less.dataset, 2)
    audit = less.audit([gold])
    for state in audit.states:
        row = {
            "model": name,
            "state": state.name,
            "seconds": round(state.seconds or mine.seconds, 2),
            "retained": round(state.retain["recall@20"], 4),
            "forget": round(state.forget["recall@20"], 4),
            "auc_matched": state.auc_matched and round(state.auc_matched, 3),
            "fold_in": round(state.probes["fold_in"], 3),
        }
        print(json.dumps(row), flush=True)
    failed = [check.name for check in audit.checks if check.state.value == "failed"]
    ratio = round(gold.seconds / less.seconds, 1)
    print(json.dumps({"model": name, "verdict": audit.headline, "failed": failed, "times_faster": ratio}), flush=True)


if __name__ == "__main__":
    for asked in sys.argv[1:] or ["als", "bpr", "lightgcn", "mgcn"]:
        with tempfile.TemporaryDirectory() as made:
            compare(asked, Path(made))
