"""What one machine carries with mapped storage: import, training, evaluation and forgetting, each in its own process.

Every stage may run inside a memory control group (cgroup v1, whose folder is given), which counts the page cache, too.
A whole epoch is extrapolated from some steps of it, after all its triples were drawn. With `--bound GIB` the program
fails when an evaluation, an erasure, its audit or the comparison of two runs takes more anonymous memory than that.
"""

import argparse
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.timing import in_child
from mmrecun.atomic import staged_folder
from mmrecun.chunked import run as runs
from mmrecun.data.mapped_import import open_mapped
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs import audit_mapped, diff_mapped, evaluate_mapped, fold_mapped, recommend_mapped, unlearn_mapped
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.rng import Seed
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_trainer import RowTrainer
from mmrecun.training.fit import TrainConfig

_MIB, _USERS_AT_ONCE = 1 << 20, 20_000
ASKED = 500
DEGREES = {"users": 8, "items": 400}  # training pairs of those who are forgotten; a pair is of two such


def make(folder: Path, users: int, items: int, pairs: int) -> int:
    """Write a dataset folder as a stream; returns how many pairs it has, about as many as asked for.

    Degrees of users are geometric, from 3 on, and items have popularities with a heavy tail.
    """
    folder.mkdir(parents=True)
    rng, written = np.random.default_rng(0), 0
    schema = pa.schema([(name, pa.string()) for name in ("user", "item", "split")])
    with pq.ParquetWriter(folder / "interactions.parquet", schema) as out:
        for start in range(0, users, _USERS_AT_ONCE):
            rows = np.arange(start, min(start + _USERS_AT_ONCE, users))
            degrees = np.minimum(3 + rng.geometric(1 / (pairs / users - 2), len(rows)), 2000)
            whose = np.repeat(rows, degrees)
            keys = np.unique(whose * items + (items * rng.random(len(whose)) ** 2.5).astype(np.int64))
            whose, what = np.divmod(keys, items)
            chance = rng.random(len(keys))
            held_out = (chance < 0.1).astype(int) + 2 * ((chance >= 0.1) & (chance < 0.2))
            splits = np.where(np.diff(whose, prepend=-1) != 0, 0, held_out)
            texts = [np.char.add(kind, of.astype(str)) for kind, of in (("u", whose), ("i", what))]
            columns = [pa.array(text) for text in (*texts, np.array(["train", "valid", "test"])[splits])]
            out.write_table(pa.table(columns, schema=schema))
            written += len(keys)
    for name, count in (("users", users), ("items", items)):
        with pq.ParquetWriter(folder / f"{name}.parquet", pa.schema([("id", pa.string())])) as out:
            for start in range(0, count, _MIB):
                names = np.char.add(name[0], np.arange(start, min(start + _MIB, count)).astype(str))
                out.write_table(pa.table({"id": pa.array(names)}))
    (folder / "dataset.toml").write_text('format = 1\nname = "made"\n', encoding="utf-8")
    return written


class Watch:
    """Wall and CPU seconds, and the most anonymous memory, of this process since it was made."""

    def __init__(self, group: Path | None) -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        self._peak, self._ended = 0, threading.Event()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            self._peak = max(self._peak, _anonymous())

    def facts(self) -> dict[str, float]:
        """Return what was measured."""
        self._ended.set()
        spent = {"seconds": time.perf_counter() - self._wall, "cpu seconds": time.process_time() - self._cpu}
        return {**spent, "anonymous GiB": max(self._peak, _anonymous()) / (1 << 30)}


def _anonymous() -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith("RssAnon")).split()[1]) << 10


def import_stage(data: Path, group: Path | None) -> dict[str, float]:
    """Make the columns."""
    watch = Watch(group)
    open_mapped(data)
    return watch.facts()


def train_stage(data: Path, work: Path, out: Path, steps: int, batch: int, group: Path | None) -> dict[str, float]:
    """Take some steps of an epoch, and write a run of what came out."""
    watch = Watch(group)
    columns, training = open_mapped(data), TrainConfig(batch_size=batch)
    work.mkdir()
    trainer = RowTrainer(ShardTask(BPRMF, BPRMFConfig(), columns, training, Seed(0), work))
    begun = time.perf_counter(), time.process_time()
    taken = trainer.steps(Seed(1))
    next(taken)
    drawn = time.perf_counter(), time.process_time()
    for _ in itertools.islice(taken, steps):
        pass
    done = time.perf_counter(), time.process_time()
    epoch = [(drawn[k] - begun[k]) + (done[k] - drawn[k]) / steps * trainer.steps_per_epoch for k in range(2)]
    best = {name.split(".")[0]: value.numpy() for name, value in trainer.keep_best().items()}
    facts = {"model": "bprmf", "settings": BPRMFConfig().model_dump(), "training": training.model_dump(), "seed": 0}
    with staged_folder(out) as staging:
        runs.write(staging, columns, best, **facts)
    written = time.perf_counter() - done[0]
    names = ("step s", "step cpu s", "epoch s", "epoch cpu s", "run written s")
    each = ((done[k] - drawn[k]) / steps for k in range(2))
    return watch.facts() | dict(zip(names, (*each, *epoch, written), strict=True))


def evaluate_stage(run: Path, group: Path | None) -> dict[str, float]:
    """Rank all items for a sample of users."""
    watch = Watch(group)
    report = evaluate_mapped(run, "test", ASKED)
    return watch.facts() | {"users": report.users}


def forget_stage(run: Path, request: dict[str, Any], out: Path, group: Path | None) -> dict[str, float]:
    """Forget and publish; what was written is what the parent does not share."""
    watch = Watch(group)
    made = unlearn_mapped(run, ForgetRequest(**request), out, delta=out.with_suffix(".delta"))
    spent = watch.facts()
    facts = {"moved": sum(made.moved.values()), "waiting": made.waiting()}
    return (
        spent
        | facts
        | {"written MiB": _written(run, out), "delta KiB": out.with_suffix(".delta").stat().st_size / 1024}
    )


def recommend_stage(run: Path, user: str, group: Path | None) -> dict[str, float]:
    """List the best items of a user."""
    watch = Watch(group)
    recommend_mapped(run, user)
    return watch.facts()


def audit_stage(run: Path, group: Path | None) -> dict[str, float]:
    """Audit a run that was unlearned."""
    watch = Watch(group)
    report = audit_mapped(run).report
    return watch.facts() | {"users": report.users["measured"]}


def diff_stage(run: Path, other: Path, group: Path | None) -> dict[str, float]:
    """Compare two runs."""
    watch = Watch(group)
    found = diff_mapped(run, other)
    return watch.facts() | {"users": found["sample"]}


def fold_stage(run: Path, out: Path, group: Path | None) -> dict[str, float]:
    """Write the rows that wait into their chunks."""
    watch = Watch(group)
    waited = fold_mapped(run, out)
    return watch.facts() | {"waited": waited, "written MiB": _written(run, out)}


def _written(before: Path, after: Path) -> float:
    shared = runs.read(before).manifest.chunks()
    new = [path for path in (after / runs.CHUNKS).iterdir() if path.name not in shared]
    return sum(path.stat().st_size for path in (*new, after / runs.MANIFEST)) / _MIB


def requests_of(data: Path) -> dict[str, dict[str, Any]]:
    """One user, one item and one pair, of users and items whose degrees are the same whatever the size of the data."""
    train, items = open_mapped(data).train, len(open_mapped(data).items)
    degrees = np.diff(train.starts)
    item, other = np.argsort(np.abs(train.item_degrees(items) - DEGREES["items"]), kind="stable")[:2]
    partners = train.users[train.items == other]
    user = int(np.argmin(np.abs(degrees - DEGREES["users"])))
    partner = int(partners[np.argmin(np.abs(degrees[partners] - DEGREES["users"]))])
    return {
        "a user": {"users": [f"u{user}"]},
        "an item": {"items": [f"i{item}"]},
        "a pair": {"pairs": [(f"u{partner}", f"i{other}")]},
    }


def measured(folder: Path, sizes: tuple[int, int, int], steps: int, batch: int, group: Path | None) -> dict[str, Any]:
    """Measure all stages; what is on disk already is not made again."""
    data, work, run = (folder / name for name in ("data", "work", "run"))
    found: dict[str, Any] = {"users, items, pairs": sizes}

    def told(name: str, stage: Callable[..., dict[str, float]], *arguments: object) -> None:
        if group is not None:
            (group / "memory.max_usage_in_bytes").write_text("0", encoding="ascii")
        found[name], _ = in_child(stage, *arguments, group)
        if group is not None:
            most = int((group / "memory.max_usage_in_bytes").read_text(encoding="ascii"))
            found[name]["group GiB"] = most / (1 << 30)
        print(json.dumps({name: found[name]}), flush=True)

    if not data.exists():
        make(data, *sizes)
    told("import", import_stage, data)
    if not run.exists():
        told("train", train_stage, data, work, run, steps, batch)
        shutil.rmtree(work)
    told("evaluate", evaluate_stage, run)
    for name, request in requests_of(data).items():
        told(name, forget_stage, run, request, folder / name.replace(" ", "-"))
    told("fold", fold_stage, folder / "an-item", folder / "folded")
    told("recommend", recommend_stage, folder / "folded", "u0")
    for name in ("a-user", "an-item", "a-pair"):
        told(f"audit of {name.replace('-', ' ')}", audit_stage, folder / name)
    told("diff", diff_stage, run, folder / "an-item")
    return found


def above(found: dict[str, Any], gib: float) -> list[str]:
    """Return the stages after training that took more anonymous memory than `gib`."""
    stages = {
        name: facts for name, facts in found.items() if isinstance(facts, dict) and name not in ("import", "train")
    }
    return [
        f"{name}: {facts['anonymous GiB']:.2f} GiB" for name, facts in stages.items() if facts["anonymous GiB"] > gib
    ]


def main() -> None:
    """Measure one size and print it as JSON, a stage a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where everything is made; it is left there")
    parser.add_argument("--sizes", type=int, nargs=3, default=(1_000_000, 100_000, 10_000_000))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--group", type=Path, help="folder of a memory control group (cgroup v1) to run in")
    parser.add_argument("--bound", type=float, help="GiB of anonymous memory that no stage after training may exceed")
    options = parser.parse_args()
    found = measured(options.folder, tuple(options.sizes), options.steps, options.batch, options.group)
    if options.bound is not None and (beyond := above(found, options.bound)):
        parser.exit(1, f"more than {options.bound} GiB: {', '.join(beyond)}\n")


if __name__ == "__main__":
    main()
