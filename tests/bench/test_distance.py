"""Distances, nearest, agreement and tables, worked out by hand."""

import math

import pytest

from mmrecun.auditing.outcome import Outcome
from mmrecun.bench.agreement import agreement, as_json, golds_passing
from mmrecun.bench.distance import distance, gold_levels, nearest
from mmrecun.bench.results import Row, Status, frame, gaps
from mmrecun.bench.summary import Stat, summarise
from mmrecun.bench.table import body, latex, markdown
from mmrecun.bench.terminal import trust

ABOUT = {
    "dataset": "d",
    "model": "m",
    "request": "users random 0.05",
    "target": "users",
    "strategy": "random",
    "ratio": 0.05,
}


def row(
    method: str, seed: int, retain=None, forget=None, auc=None, seconds=None, alone=None, against=None, **more
) -> Row:
    figures = {"retain_recall": retain, "forget_recall": forget, "matched_auc": auc, "seconds": seconds}
    verdicts = {"verdict_without_gold": alone, "verdict_against_gold": against}
    return Row(**{**ABOUT, "method": method, "seed": seed, "status": Status.DONE, **figures, **verdicts, **more})


P, F, N = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ASSESSED
ROWS = [
    row("original", 0, 0.102, 0.9, 0.8),
    row("gold", 1000, 0.10, 0.10, 0.48, 100.0, alone=P, against=P),
    row("gold", 1001, 0.10, 0.14, 0.50, 100.0, alone=F, against=P),
    row("gold", 1002, 0.10, 0.12, 0.52, 100.0, alone=N, against=P),
    row("mmrecun", 0, 0.098, 0.20, 0.5, 4.0, alone=P, against=F),
    row("mmrecun", 1, 0.100, 0.16, 0.5, 6.0, alone=P, against=P),
    row("slow", 0, 0.100, 0.12, 0.5, 5.1, alone=F, against=P),
    row("slow", 1, 0.100, 0.12, 0.5, 5.1, alone=F, against=F),
    row("fast", 0, 0.097, 0.12, 0.5, 1.0, alone=N, against=P),
    row("fast", 1, 0.097, 0.12, 0.5, 1.0, alone=P, against=P),
    row("above", 0, 0.150, 0.12, 0.56, 1.0),
    row("no auc", 0, 0.100, 0.12, None, 1.0),
    row("half", 0, 0.100, 0.12, 0.5, 1.0, alone=N, against=N),
    Row(**ABOUT, method="half", seed=1, status=Status.FAILED, reason="RuntimeError: no memory"),
    Row(**ABOUT, method="broken", seed=0, status=Status.FAILED, reason="RuntimeError: no | way"),
]


def test_tolerances_and_distances_by_hand():
    (summary,) = summarise(ROWS)
    gold = summary.line("gold")
    assert gold is not None
    aims = gold_levels(gold)
    assert aims["retain_recall"] == pytest.approx((0.10, 0.001))
    assert aims["forget_recall"] == pytest.approx((0.12, 0.04))
    assert aims["matched_auc"] == pytest.approx((0.50, 0.04))
    by_hand = {
        "mmrecun": {"retain_recall": 1.0, "forget_recall": 1.5, "matched_auc": 0.0},
        "slow": {"retain_recall": 0.0, "forget_recall": 0.0, "matched_auc": 0.0},
        "fast": {"retain_recall": 3.0, "forget_recall": 0.0, "matched_auc": 0.0},
        "above": {"retain_recall": 0.0, "forget_recall": 0.0, "matched_auc": 1.5},
    }
    for method, parts in by_hand.items():
        found = distance(summary.line(method), gold)
        assert found.parts == pytest.approx(parts, abs=1e-9)
        assert found.overall == pytest.approx(max(parts.values()), abs=1e-9)
    assert distance(summary.line("no auc"), gold) is None
    assert distance(summary.line("broken"), gold) is None


def test_the_nearest_takes_no_more_time_than_mmrecun():
    (summary,) = summarise(ROWS)
    found = nearest(summary)
    assert found.method == "mmrecun"  # as far as "above", and named first
    assert found.seconds == 5.0
    assert found.by_figure == {"retain_recall": "above", "forget_recall": "fast", "matched_auc": "mmrecun"}
    assert nearest(summary, "nobody").method == "slow"
    assert nearest(summarise([entry for entry in ROWS if entry.method != "gold"])[0]) is None


def test_a_small_spread_still_allows_two_hundredths_and_plain_auc_stands_in():
    rows = [
        row("gold", 1000, 0.2, 0.10, None, 9.0, membership_auc=0.5),
        row("x", 0, 0.2, 0.13, None, 1.0, membership_auc=0.5),
    ]
    (summary,) = summarise(rows)
    assert gold_levels(summary.line("gold"))["forget_recall"].tolerance == 0.02
    assert distance(summary.line("x"), summary.line("gold")).parts == pytest.approx(
        {"retain_recall": 0.0, "forget_recall": 1.5, "membership_auc": 0.0}
    )


def test_agreement_by_hand():
    found = agreement(ROWS)
    # mmrecun 0: false pass; mmrecun 1: agree; slow 0: false alarm; slow 1: agree; fast 0: undecided; fast 1: agree
    assert found == (5, 3, 1, 1)
    assert found.share == 0.6
    assert golds_passing(ROWS) == (1, 2)
    assert as_json(ROWS)["users"]["share"] == 0.6
    assert agreement([]).share is None
    assert trust(ROWS) == (
        "The verdict without Gold agrees with that against it in 3 of 5 rows (1 false passes, 1 false alarms); "
        "1 of 2 Golds pass alone."
    )


def test_gaps_and_z_by_hand():
    golds = [
        dict.fromkeys(("retain_recall", "membership_auc", "matched_auc", "fold_in")) | {"forget_recall": f}
        for f in (0.1, 0.2)
    ]
    values = {"retain_recall": 0.1, "forget_recall": 0.3, "membership_auc": None, "matched_auc": None}
    found = gaps(values, golds)
    assert found["gap_forget_recall"] == pytest.approx(0.15)
    assert found["z_forget_recall"] == pytest.approx(0.15 / math.sqrt(0.005))
    assert found["gap_retain_recall"] is found["z_retain_recall"] is None
    assert gaps(values, golds[:1])["z_forget_recall"] is None


def test_means_and_deviations_by_hand():
    (summary,) = summarise(ROWS)
    assert summary.line("mmrecun").stat("forget_recall") == pytest.approx(Stat(0.18, math.sqrt(0.0008)))
    assert summary.line("above").stat("forget_recall") == Stat(0.12, None)
    assert summary.line("broken").stat("forget_recall") is None


def test_tables_say_the_same_in_every_form():
    (summary,) = summarise(ROWS)
    group = body(summary)
    cells = dict(group.lines)["mmrecun"]
    assert cells[0] == "0.0990 ± 0.0014"
    assert cells[2] == "0.1800 ± 0.0283"
    assert cells[6] == "1.5"
    assert cells[-2:] == ("2/2", "1/2")
    assert group.best == "mmrecun"
    text = markdown([summary])
    assert "| **mmrecun** | 0.0990 ± 0.0014 |" in text
    assert "broken: failed: RuntimeError: no | way" in text
    drawn = latex([summary])
    assert r"\textbf{mmrecun} & 0.0990 $\pm$ 0.0014 &" in drawn
    assert drawn.count(r"\\") == len(summary.lines) + 1
    assert "5 \\%" in drawn


def test_parquet_columns_have_stable_names_and_types():
    table = frame(ROWS)
    contract = (
        "dataset model target strategy ratio method seed retain_recall@20 forget_recall@20 membership_auc seconds"
    )
    assert {*contract.split(), "speedup_over_gold"} <= set(table.columns)
    assert frame(ROWS[:1]).schema == table.schema
    assert table["seed"].to_list() == [entry.seed for entry in ROWS]
