"""What the examples share: MovieLens-100K with a fixed split, who is to be forgotten, and one line of figures.

The folder with `ml-100k.inter` (RecBole's atomic files) is named by MMRECUN_DATA.
"""

import json
import os
from pathlib import Path

import numpy as np

from mmrecun import AuditReport, Dataset, ForgetRequest
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Split


def dataset() -> Dataset:
    """MovieLens-100K, every rating a pair, a tenth each for validation and test."""
    path = Path(os.environ["MMRECUN_DATA"]) / "ml-100k" / "ml-100k.inter"
    return read(path, ImportOptions(seed=1)).dataset


def request(data: Dataset) -> ForgetRequest:
    """Two per cent of the users, drawn at random."""
    drawn = np.random.default_rng(0).permutation(data.users.names.to_numpy())
    return ForgetRequest(users=drawn[: len(drawn) // 50].tolist())


def rows(data: Dataset, part: Dataset, split: Split = Split.TRAIN) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of one split of `part`, which was made of `data`, by their rows in `data`."""
    pairs = part.interactions.split(split)
    users = data.users.rows(part.users.names)[pairs.users]
    return users, data.items.rows(part.items.names)[pairs.items]


def ratings() -> dict[tuple[str, str], float]:
    """(user, item) -> stars."""
    path = Path(os.environ["MMRECUN_DATA"]) / "ml-100k" / "ml-100k.inter"
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return {(user, item): float(stars) for user, item, stars, *_ in lines}


def report(library: str, audit: AuditReport, train_seconds: float) -> None:
    """Print a line of JSON for each state."""
    for state in audit.states:
        known = state.recognition.get("users")
        print(
            json.dumps(
                {
                    "library": library,
                    "state": state.name,
                    "seconds": round(state.seconds or train_seconds, 2),
                    "recall@20": round(state.retain["recall@20"], 4),
                    "forget_recall@20": round(state.forget.get("recall@20", float("nan")), 4),
                    "auc_matched": None if state.auc_matched is None else round(state.auc_matched, 3),
                    "fold_in": round(state.probes["fold_in"], 3),
                    "partners_auc": None if known is None else round(known.auc, 3),
                }
            )
        )
    failed = [check.name for check in audit.checks if check.state.value == "failed"]
    print(json.dumps({"library": library, "verdict": audit.verdict.value, "failed": failed}), flush=True)
