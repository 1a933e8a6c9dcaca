"""The facts of a dataset in a terminal."""

from collections.abc import Mapping
from typing import Any

from mmrecun.cli.output import facts_table, rows_table

_QUANTILES = ("min", "median", "mean", "p90", "max")


def show_sizes(facts: Mapping[str, Any], title: str) -> None:
    """Print sizes, splits, modalities and attributes: those of `data.describe.facts`."""
    whole = facts["interactions"]
    splits = (f"{count:,} {name} ({count / whole:.0%})" for name, count in facts["splits"].items())
    modalities = (
        f"{name}: {of['width']} features, of {_share(of['coverage'])} items" for name, of in facts["modalities"].items()
    )
    attributes = (f"{kind}: {', '.join(columns)}" for kind, columns in facts["attributes"].items() if columns)
    rows = {
        "dataset": facts["dataset"],
        **{kind: f"{facts[kind]:,}{_cold(facts['cold'][kind])}" for kind in ("users", "items")},
        "interactions": whole,
        "splits": ", ".join(splits),
        "modalities": list(modalities) or "none",
        "attributes": list(attributes) or "none",
        "digest": facts["digest"][:16],
    }
    facts_table(rows, title)


def _share(coverage: float) -> str:
    return "all" if coverage == 1 else f"{coverage:.1%} of the"


def _cold(count: int) -> str:
    return f", {count:,} of them without a training pair" if count else ""


def show_degrees(facts: Mapping[str, Any]) -> None:
    """Print how many training pairs users and items have."""
    rows = [
        {"": f"per {kind[:-1]}", **{name: f"{degrees[name]:,.1f}".removesuffix(".0") for name in _QUANTILES}}
        for kind, degrees in facts["degrees"].items()
    ]
    rows_table(rows, "training pairs", _QUANTILES)
    dense = 1 - facts["sparsity"]
    facts_table({"density": f"{dense:.2%} of all user-item pairs", "gini": f"{facts['gini']:.2f} over the items"})
