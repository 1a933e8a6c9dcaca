"""Forgetting a share of everybody, one user and one item, against training again from scratch (Gold)."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases import chosen
from benchmarks.latency import singles
from benchmarks.originals import share, trained
from benchmarks.page import Table, arguments, write
from benchmarks.timing import Spread, interleaved, ratios
from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest

METHODS = ("mmrecun", "retrain")


def requests(dataset: Dataset, ratio: float) -> dict[str, ForgetRequest]:
    """Return what is forgotten, by name."""
    shares = {f"{ratio:.0%} of {target}": share(dataset, target, ratio) for target in ("items", "users", "pairs")}
    return shares | {f"one {target}": request for target, request in singles(dataset).items()}


def measured(run: Path, name: str, request: ForgetRequest, rounds: int, folder: Path) -> dict[str, Any]:
    """One row: method and Gold take turns, each from the Original's folder to a finished run; the last are audited."""

    def forget(method: str) -> None:
        shutil.rmtree(folder / method, ignore_errors=True)
        jobs.unlearn(run, request, folder / method, method=method)

    seconds = interleaved({method: lambda method=method: forget(method) for method in METHODS}, rounds, warm=0)
    report = jobs.audit(folder / "mmrecun", [folder / "retrain"])
    manifest = runs.load(run).manifest
    ours, gold = report.measurements("unlearned"), report.measurements("gold")
    return {
        "data": manifest.dataset_name,
        "model": manifest.model,
        "request": name,
        "mmrecun, s": Spread.of(seconds["mmrecun"]),
        "Gold, s": Spread.of(seconds["retrain"]),
        "Gold / mmrecun": ratios(seconds["retrain"], seconds["mmrecun"]),
        "retain recall@20": ours.retain["recall@20"],
        "Gold's": gold.retain["recall@20"],
        "forget recall@20": ours.forget["recall@20"],
        "of Gold": gold.forget["recall@20"],
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure every dataset, or the runs that are given."""
    parser = arguments("unlearning", rounds=1)
    parser.add_argument("--run", type=Path, action="append", default=[], help="a trained run to forget from, instead")
    parser.add_argument("--models", nargs="+", default=["mgcn"])
    parser.add_argument("--epochs", type=int, default=3, help="of the Original and so, at most, of Gold")
    parser.add_argument("--ratio", type=float, default=0.05)
    options = parser.parse_args(given)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        folders = [*options.run] if options.run else _trained(options, folder)
        for run in folders:
            for title, request in requests(runs.load(run).dataset, options.ratio).items():
                rows.append(measured(run, title, request, options.rounds, folder))
    write(options.out, "unlearning", [Table("From a run to a run without what was forgotten", rows)])


def _trained(options: Any, folder: Path) -> list[Path]:
    folders = []
    for number, dataset in enumerate(chosen(options.data, options.sizes)):
        files.save(dataset, folder / f"data{number}")
        folders += [
            trained(folder / f"data{number}", model, folder / f"{model}{number}", options.epochs)
            for model in options.models
        ]
    return folders


if __name__ == "__main__":
    main()
