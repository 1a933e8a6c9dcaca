"""A method beside Gold for every kind of request, each made to several Originals and judged beside several Golds.

Requests and seeds are others than those that rules were chosen by. Golds are judged as well, each beside the others:
a check that Golds fail, too, says little of a method. Everything trained is kept in a folder, and so is every row.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.against_gold import SEED, figures_of
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import BABY, CITEULIKE, Trial, trials
from benchmarks.verdicts import Court, Kept
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.keys import CheckName
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.auditing.outcome import Outcome
from mmrecun.unlearning.registry import METHODS

KINDS = ("users5", "items5", "pairs5", "active1", "popular1", "active0.01", "median0.01")
TRIALS = (
    Trial("tiktok", "mgcn", (*KINDS, "feataudio-20"), 3),
    Trial("baby", "lightgcn", KINDS, 3, (), BABY),
    Trial("ml100k", "mgcn", (*KINDS, "feattext-20"), 3),
    Trial("ml100k", "bprmf", KINDS, 3),
    Trial("citeulike", "mgcn", (*KINDS, "feattags-20"), 3, (), CITEULIKE),
    Trial("citeulike", "lightgcn", KINDS, 3, (), CITEULIKE),
)
ORIGINALS, DRAW = (6, 7, 8), 21

Judged = dict[str, Any]


def judged(kept: Kept, trial: Trial, name: str, method: str, golds: int) -> list[Judged]:
    """Judge each Gold beside the others, and a method for each Original; kept once it is there."""
    called = f"{Path(trial.data).name}-{trial.model}-{name}-draw{DRAW}-{method}-{golds}.json"
    path = kept.folder / "every_kind" / called
    if path.is_file():
        rows: list[Judged] = json.loads(path.read_text(encoding="utf-8"))
        return rows
    originals = [kept.original(trial, seed) for seed in ORIGINALS]
    asked, runs = kept.golds(originals[0], name, DRAW, golds)
    court = Court(trial.data, trial.model, name, originals[0], asked, runs)
    rows = [_row(row, state) for row, state in zip(court.gold_rows(), court.targets, strict=True)]
    for original in originals:
        rows.append(unlearned(court if original is originals[0] else court.beside(original), method))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return rows


def unlearned(court: Court, method: str) -> Judged:
    """Unlearn and judge it; `benchmarks.cost_of_gold` times it."""
    model = court.unlearned(method, SEED)
    state = court.measured(RunKind.UNLEARNED, court.original, model)
    found = _row(court.row("method", method, state, model, court.targets), state)
    lists = [_places_lost(court, each) for each in (state, *court.targets)]
    return {**found, "before": all_figures(court.before), "lists": lists}


def _row(row: Judged, state: MeasuredRun) -> Judged:
    return {**row, "figures": all_figures(state)}


def _places_lost(court: Court, state: MeasuredRun) -> float | None:
    """Return how well touched items are told by the places that they lost in everybody's lists; None without any."""
    mark = court.setup.list_changes.lists_mark(court.before.lists, state.lists)
    return mark.auc if mark else None


def all_figures(state: MeasuredRun) -> dict[str, float]:
    """Return recall, AUCs, those of attacks with labels, places by fold-in and forget recall."""
    figures = state.figures
    found = figures_of(state)
    for name, recognition in figures.recognition.items():
        found[f"place {name}"] = recognition.place
        if recognition.attack_auc is not None:
            found[f"attack {name}"] = recognition.attack_auc
    return found | ({"forget recall": figures.forget["recall@20"]} if figures.forget else {})


def summary(trial: Trial, name: str, rows: Sequence[Judged]) -> dict[str, Any]:
    """Return a line for a request: means over the Originals before those over the Golds, and how many pass."""
    own, golds = ([row for row in rows if row["kind"] == kind] for kind in ("method", "gold"))
    line: dict[str, Any] = {"data": Path(trial.data).name, "model": trial.model, "request": name, "Golds": len(golds)}
    for shown, prefix in (
        ("retained recall", "retained recall"),
        ("AUC", "AUC "),
        ("fold-in", "place "),
        ("attack", "attack "),
    ):
        names = [key for key in own[0]["figures"] if key.startswith(prefix)]
        line[shown] = ", ".join(_beside(own, golds, key) for key in names) or "-"
    marks = [key for key in own[0]["figures"] if key.startswith("marks ")]
    line["marks"] = ", ".join(f"{key.removeprefix('marks ')} {_beside(own, golds, key)}" for key in marks) or "-"
    line["lists"] = _lists(own)
    for verdict in ("without Gold", "with Gold"):
        line[verdict] = f"{_passes(own, verdict)} / {_passes(golds, verdict)}"
    failed = Counter(check for row in own for check in _failed(row))
    theirs = Counter(check for row in golds for check in _failed(row))
    line["what fails"] = ", ".join(
        f"{check} ({count}; Golds {theirs[check]})" if theirs[check] else f"{check} ({count})"
        for check, count in failed.most_common()
    )
    return line


def _failed(row: Mapping[str, Any]) -> set[str]:
    return {str(CheckName(check).without_gold) for check in (*row["failed"], *row["failed against Gold"])}


def _beside(own: Sequence[Judged], golds: Sequence[Judged], key: str) -> str:
    ours, theirs = ([row["figures"][key] for row in rows if key in row["figures"]] for rows in (own, golds))
    return f"{mean(ours):.3f} / {mean(theirs):.3f}" if theirs else f"{mean(ours):.3f}"


def _lists(own: Sequence[Judged]) -> str:
    found = [row["lists"] for row in own if None not in row["lists"]]
    if not found:
        return "-"
    return f"{mean(lists[0] for lists in found):.3f} / {mean(mean(lists[1:]) for lists in found):.3f}"


def _passes(rows: Sequence[Judged], verdict: str) -> str:
    """Return how many pass, and how many are not assessed."""
    found = Counter(row[verdict] for row in rows)
    still_open = found[Outcome.NOT_ASSESSED.value]
    return f"{found[Outcome.PASSED.value]}{f' +{still_open} open' if still_open else ''} of {len(rows)}"


def main(given: Sequence[str] | None = None) -> None:
    """Judge a method on every request, or on those whose names hold a word that is given."""
    parser = arguments("every_kind", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "every_kind", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby lightgcn' or 'active1'")
    parser.add_argument("--golds", type=int, default=0, help="of each request; three by default")
    parser.add_argument("--method", default="mmrecun", choices=METHODS)
    options = parser.parse_args(given)
    kept, lines = Kept(options.kept), []
    for trial, name in trials(options.only, TRIALS):
        rows = judged(kept, trial, name, options.method, options.golds or trial.golds)
        lines.append(summary(trial, name, rows))
        print(lines[-1], flush=True)
    write(options.out, "every_kind", [Table(f"{options.method} / Gold, means over {len(ORIGINALS)} Originals", lines)])


if __name__ == "__main__":
    main()
