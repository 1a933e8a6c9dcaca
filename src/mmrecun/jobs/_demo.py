"""The whole pipeline on synthetic data: train, forget a licensor's catalogue, retrain as Gold, audit, report."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mmrecun import jobs, runs
from mmrecun.atomic import refuse_filled
from mmrecun.auditing.result import AuditReport
from mmrecun.data import files
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.forget.parsing import add_matching
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs._demo_raw import make_raw
from mmrecun.progress import Progress
from mmrecun.rng import Seed
from mmrecun.text import counted

WHERE = 'licensor == "Ember House" and year < 2012'
GOLDS = 3
Stage = Callable[[str], AbstractContextManager[Progress]]


def run_demo(out: Path, stage: Stage, raw: bool = False) -> tuple[dict[str, Any], AuditReport]:
    """Make everything below `out`, in five stages.

    Args:
        out: folder to make.
        stage: entered with the line of each stage; yields what is told of its progress.
        raw: whether features are encoded from synthetic pictures, words and sounds, or generated directly.

    Returns:
        The command's JSON object, and the audit.
    """
    refuse_filled(out)
    started = time.perf_counter()
    if raw:
        with stage("1/5 making pictures, words and sounds that show planted tastes, and encoding them") as progress:
            make_raw(out / "data", out / "content", Seed(7), progress)
    else:
        with stage("1/5 making synthetic data"):
            files.save(make(SyntheticConfig(), Seed(7))[0], out / "data")
    settings = {"learning_rate": 5e-3, "batch_size": 512, "patience": 5, "patience_steps": 60, "epochs": 40}
    with stage("2/5 training MGCN") as progress:
        jobs.train(out / "data", "mgcn", out / "original", settings, progress=progress)
    original = runs.load(out / "original")
    request, _ = add_matching(ForgetRequest(), original.dataset, WHERE)
    with stage(f"3/5 forgetting {counted(len(request.items), 'item')}: {WHERE}") as progress:
        jobs.unlearn(original, request, out / "forgotten", progress=progress)
    golds = [out / f"gold-{seed}" for seed in range(1, GOLDS + 1)]
    for seed, gold in enumerate(golds, start=1):
        with stage(f"4/5 retraining from scratch without them, for comparison (Gold {seed} of {GOLDS})") as progress:
            jobs.unlearn(original, request, gold, "retrain", seed=seed, progress=progress)
    with stage("5/5 auditing") as progress:
        report = jobs.audit(out / "forgotten", golds, progress=progress)
    result = {
        "report": str(out / "forgotten" / "report.html"),
        "runs": [str(run) for run in (out / "original", out / "forgotten", *golds)],
        "verdict": report.verdict.value,
        "seconds": time.perf_counter() - started,
    }
    return result, report
