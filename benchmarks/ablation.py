"""What each part of `mmrecun` does: requests beside Gold, with one part left out at a time.

Models and Golds are those of `benchmarks.verdicts`, kept in the same folder.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.against_gold import SEED, court_of, figures_of
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, trials
from benchmarks.verdicts import Court, Kept
from mmrecun.auditing.figures import RunKind
from mmrecun.text import counted
from mmrecun.unlearning.mmrecun import balance, method, restoring
from mmrecun.unlearning.mmrecun.method import MMRecUn
from mmrecun.unlearning.mmrecun.step_scale import StepScale


class Part(NamedTuple):
    """A part of the method.

    Attributes:
        without: what is done instead.
        settings: of the method, if they suffice to leave the part out.
        place, name, instead: the attribute that is replaced, and its replacement.
    """

    without: str
    settings: dict[str, Any] = {}
    place: object = None
    name: str = ""
    instead: Any = None

    @contextmanager
    def left_out(self) -> Iterator[dict[str, Any]]:
        """Leave the part out within the context, which gets the settings."""
        if self.place is None:
            yield self.settings
            return
        with patch.object(self.place, self.name, self.instead):
            yield self.settings


def _whole_rest(found: Callable[..., balance.Balance]) -> Any:
    def of(_: type, rows: torch.Tensor, *further: Any) -> balance.Balance:
        return found(rows, *further[:5], torch.ones(len(rows), 1).to(rows), *further[6:])

    return classmethod(of)


PARTS = (
    Part("nothing left out"),
    Part("usual scale, not fitted", {}, method, "fit_step_scale", lambda _, *usual: StepScale(usual[0], *usual)),
    Part("steps as solved", {}, method, "fit_step_scale", lambda *_: StepScale(1.0, 1.0)),
    Part("lean left as it is", {}, restoring, "lost_leans", lambda *_: {}),
    Part("rows not matched", {}, method, "match_rows", lambda *_: None),
    Part("no epoch at the end", {"epochs": 0}),
    Part("one Gauss-Newton step", {"newton_steps": 1}),
    Part("own noise kept", {}, method, "first_step", lambda solver, _, cg_steps, __: solver.newton_step(cg_steps)),
    Part("steps of any length", {}, restoring, "_LONGEST", 1e9),
    Part("one scale for all rows", {}, restoring, "row_scale", lambda scale, *_: scale),
    Part("whole rest kept", {}, balance.Balance, "of", _whole_rest(balance.Balance.of)),
)


def row_of(court: Court, part: Part) -> dict[str, Any]:
    """Unlearn without a part, and compare with the mean of the Golds."""
    with part.left_out() as settings:
        task = court.task(SEED)
        started = time.process_time()
        model = MMRecUn(MMRecUn.Config(**settings)).run(task).model
        seconds = time.process_time() - started
    state = court.measured(RunKind.UNLEARNED, court.original, model)
    golds = [figures_of(target) for target in court.targets]
    apart = {name: value - np.mean([gold[name] for gold in golds]) for name, value in figures_of(state).items()}
    recall = np.mean([gold["retained recall"] for gold in golds])
    return {
        "without": part.without,
        "recall": 1 + apart["retained recall"] / recall,
        "AUC": np.mean([abs(value) for name, value in apart.items() if name.startswith("AUC")]),
        "marks": max([0.0, *(value for name, value in apart.items() if name.startswith("marks"))]),
        "outcome": court.row("method", part.without, state, model, court.targets)["with Gold"],
        "seconds": seconds,
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum the rows of all requests up, part by part."""
    found = []
    for part in PARTS:
        own = [row for row in rows if row["without"] == part.without]
        whole = [row for row in rows if row["without"] == PARTS[0].without]
        outcomes = [row["outcome"] for row in own]
        time_taken = np.median([row["seconds"] / base["seconds"] for row, base in zip(own, whole, strict=True)])
        found.append(
            {
                "left out": part.without,
                "recall / Gold": f"{np.mean([row['recall'] for row in own]):.3f}",
                "worst": f"{min(row['recall'] for row in own):.3f}",
                "AUC from Gold": f"{np.mean([row['AUC'] for row in own]):.3f}",
                "farthest": f"{max(row['AUC'] for row in own):.3f}",
                "marks above Gold": f"{np.mean([row['marks'] for row in own]):.3f}",
                "worst marks": f"{max(row['marks'] for row in own):.3f}",
                "passed": outcomes.count("passed"),
                "failed": outcomes.count("failed"),
                "time": f"{time_taken:.2f}",
            }
        )
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Leave out each part for every request of the grid, or those whose names hold a word that is given."""
    parser = arguments("ablation", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby bprmf' or 'items5'")
    options = parser.parse_args(given)
    rows = list[dict[str, Any]]()
    for trial, name in trials(options.only):
        court = court_of(Kept(options.kept), trial, name, DRAW, trial.golds)
        for part in PARTS:
            rows.append(row_of(court, part))
            print(trial.data, trial.model, name, rows[-1], flush=True)
    requests = counted(len(rows) // len(PARTS), "request")
    write(options.out, "ablation", [Table(f"mmrecun, {requests}", summary(rows))])


if __name__ == "__main__":
    main()
