"""Training, evaluation and unlearning on one CUDA card, beside MMRec and the card's limits; about six minutes in all.

`python -m benchmarks.gpu --data DATASET [--mmrec CLONE]`: each part is a process of its own with a time limit, so that
one that fails costs no other, nor does a model or request within it. What was measured by then is printed as tables,
also into `gpu.md`. `DATASET` is a dataset folder with modalities; `CLONE` a clone of MMRec, with its data
beside ours (see `benchmarks.mmrec`). `--check` runs every part on small made data, without a card on the CPU: it tells
whether this script still works, and its figures mean nothing.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import limits
from benchmarks.card import say
from benchmarks.cases import made
from benchmarks.gpu_tables import tables
from benchmarks.gpu_training import fit, large, steps
from benchmarks.gpu_unlearning import unlearning
from benchmarks.page import OUT
from mmrecun.data import files

_SMALL = (120, 80, 3000)  # users, items and pairs of a check


def mmrec(options: argparse.Namespace) -> None:
    """MMRec's MGCN on the same data."""
    from benchmarks.mmrec import measured

    measured(options.mmrec, options.mmrec_data, 42, say)


PARTS = {"steps": steps, "fit": fit, "mmrec": mmrec, "large": large, "unlearning": unlearning}
SECONDS = {"steps": 60, "fit": 50, "mmrec": 65, "large": 85, "unlearning": 98}  # at most; six minutes in all


def main(given: Sequence[str] | None = None) -> None:
    """Every part, or the one that is named."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--data", type=Path, help="a dataset folder with modalities")
    parser.add_argument("--mmrec", type=Path, help="a clone of MMRec; without one it is not measured")
    parser.add_argument("--mmrec-data", type=Path, help="the folder of MMRec's data")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the logs")
    parser.add_argument("--work", type=Path, default=Path("gpu-runs"), help="folder of the runs, which are left there")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS), help="all by default")
    parser.add_argument("--part", choices=PARTS, help="run this part alone, in this process")
    parser.add_argument("--sizes", type=int, nargs=3, default=(1_000_000, 100_000, 10_000_000), help="of `large`")
    parser.add_argument("--check", action="store_true", help="run on small made data, without a card on the CPU")
    options = parser.parse_args(given, argparse.Namespace(short={}))
    if options.check:
        _made_small(options)
    elif not torch.cuda.is_available():
        raise SystemExit("no CUDA card was found; nothing is measured (--check runs the script on the CPU)")
    elif options.data is None:
        raise SystemExit("name a dataset folder with modalities: --data DATASET")
    if options.part:
        PARTS[options.part](options)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in options.parts:
        if part == "mmrec" and options.mmrec is None:
            say(part, ended="left out: --mmrec names no clone")
        elif _in_process(part, options, sys.argv[1:] if given is None else given) != 0:
            failed.append(part)
    logs = [path for part in options.parts if (path := _log(options, part)).exists()]
    page = "\n".join(
        table.markdown() for table in tables(line for path in logs for line in path.read_text().splitlines())
    )
    (options.out / "gpu.md").write_text(page)
    print(page)
    if failed:
        raise SystemExit(f"not measured to the end: {', '.join(failed)}; see the logs in {options.out}")


def _made_small(options: argparse.Namespace) -> None:
    """Make the data of a check, once, and have trainings and the measured limits short."""
    limits._SIDE, options.short = 256, {"epochs": 2}
    options.data, options.sizes = options.work / "made", _SMALL
    if not options.data.exists():
        files.save(made(*_SMALL, modalities=2, width=16), options.data)


def _log(options: argparse.Namespace, part: str) -> Path:
    path: Path = options.out / f"gpu-{part}.log"
    return path


def _in_process(part: str, options: argparse.Namespace, given: Sequence[str]) -> Any:
    """Run one part in a process of its own; returns its exit code, or why there is none."""
    started, path = time.perf_counter(), _log(options, part)
    with path.open("w") as log:
        command = [sys.executable, "-m", "benchmarks.gpu", *given, "--part", part]
        limit = None if options.check else SECONDS[part]
        try:
            code: Any = subprocess.run(command, stdout=log, stderr=log, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            code = "time is up"
    print(path.read_text()[-6000:])
    say(part, ended=code, seconds=time.perf_counter() - started)
    return code


if __name__ == "__main__":
    main()
