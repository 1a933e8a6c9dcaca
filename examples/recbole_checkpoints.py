"""Forget users from checkpoints of RecBole: `python examples/recbole_checkpoints.py [BPR|LightGCN]`.

RecBole needs an older NumPy than this package, so it trains in an environment of its own, whose Python is named by
MMRECUN_RECBOLE_PYTHON. Its checkpoints are read here without it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import movielens
import polars as pl

from mmrecun.adapters import recbole
from mmrecun.adapters.foreign import seconds_of
from mmrecun.data.interactions import Split

LAYERS, EPOCHS = {"BPR": 0, "LightGCN": 2}, {"BPR": 60, "LightGCN": 20}


def write(data, folder):
    """Write the three files of RecBole's benchmark layout."""
    folder.mkdir()
    for split in Split:
        pairs = data.interactions.split(split)
        users, items = data.users.names.gather(pairs.users), data.items.names.gather(pairs.items)
        table = pl.DataFrame({"user_id:token": users, "item_id:token": items})
        table.write_csv(folder / f"{folder.name}.{split.name.lower()}.inter", separator="\t")


def train(kind, folder, seed, epochs):
    """Return what RecBole's own process says of its training."""
    script = Path(__file__).with_name("recbole_train.py")
    command = [os.environ["MMRECUN_RECBOLE_PYTHON"], str(script), kind, str(folder.parent), folder.name]
    subprocess.run(
        [*command, str(seed), str(epochs)], check=True, capture_output=True, cwd=folder
    )  # it logs where it runs
    return json.loads((folder / f"{kind}-{seed}.json").read_text())


def main(kind, folder):
    """Train, forget, train again, compare."""
    data = movielens.dataset()
    request = movielens.request(data)
    write(data, folder / "whole")
    told = train(kind, folder / "whole", 1, EPOCHS[kind])

    mine = recbole.load(told["file"], data, told["user"], told["item"], layers=LAYERS[kind])
    less = mine.unlearn(request)
    less.save(folder / "less.pth")

    less = mine.unlearn(request)  # once more, now that everything is loaded: this time is reported
    write(less.dataset, folder / "rest")
    golds = []
    for seed in (2, 3):
        gold = train(kind, folder / "rest", seed, EPOCHS[kind])
        model = recbole.load(gold["file"], less.dataset, gold["user"], gold["item"], layers=LAYERS[kind])
        golds.append(seconds_of(model, gold["seconds"]))
    movielens.report(f"recbole {kind}", less.audit(golds), told["seconds"])


if __name__ == "__main__":
    for kind in sys.argv[1:] or list(LAYERS):
        with tempfile.TemporaryDirectory() as folder:
            main(kind, Path(folder))
