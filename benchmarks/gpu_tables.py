"""The tables of `benchmarks.gpu`, from the lines of JSON that its parts print."""

import json
from collections.abc import Iterable
from typing import Any

from benchmarks.page import Table

TABLES = {  # part -> title and columns; a dotted name is that of a value within a value
    "limits": ("Limits of the card, GFLOP/s and GB/s", ("card", "torch", "dense_fp32", "dense_bf16", "copy", "sparse")),
    "epoch": ("Epochs of MGCN, s", ("batch", "hops", "captured", "seconds", "busy", "kernels")),
    "validation": ("Validation, s", ("hops", "seconds", "busy", "kernels")),
    "shares": ("Shares of the limits", ("hop_share_of_copy", "dense_share", "validation_share")),
    "fit": (
        "Training to the best validation, s",
        ("name", "training", "to_best", "best_epoch", "valid", "epoch_seconds"),
    ),
    "mmrec": ("MMRec, s", ("batch", "epoch", "validation", "to_best", "best_epoch", "best_valid")),
    "bprmf": ("BPR-MF on 10^7 pairs", ("batch", "epoch", "triples_a_second")),
    "step": ("Steps on 10^7 pairs, ms", ("model", "bfloat16", "captured", "milliseconds", "memory")),
    "hop": ("Hops on 10^7 pairs, ms", ("bfloat16", "milliseconds", "share_of_copy")),
    "unlearning": ("Unlearning, s", ("model", "target", "seconds.mmrecun", "seconds.retrain", "ratio")),
    "phase": ("Unlearning with MGCN, by phase", ("target", "phase", "seconds", "of_gold", "launches", "crossings")),
    "solve": ("A Gauss-Newton step, s", ("model", "captured", "seconds")),
    "failed": ("Not measured", ("what", "error")),
}


def tables(lines: Iterable[str]) -> list[Table]:
    """Return a table for each part that said anything; lines that are not JSON are passed over."""
    said: dict[str, list[dict[str, Any]]] = {part: [] for part in TABLES}
    for line in lines:
        if line.startswith('{"part": '):
            facts = json.loads(line)
            said.get(facts["part"], []).append(facts)
    return [
        Table(title, [{name: _value(facts, name) for name in names} for facts in said[part]])
        for part, (title, names) in TABLES.items()
        if said[part]
    ]


def _value(facts: dict[str, Any], name: str) -> Any:
    for key in name.split("."):
        facts = facts.get(key) if isinstance(facts, dict) else None  # type: ignore[assignment]
    return {True: "yes", False: "no"}[facts] if isinstance(facts, bool) else facts
