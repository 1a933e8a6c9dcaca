import io
import re

import pytest
from rich.console import Console

from mmrecun.auditing.figures import Measurements
from mmrecun.auditing.keys import GapKey
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import Check
from mmrecun.report import extra_tables, figures, tables, to_gold, wording
from mmrecun.report.page import render
from mmrecun.report.terminal import show, show_briefly
from tests.report.made import HISTORY, HOSTILE, Balanced, changed, full, gap, report, state


@pytest.fixture(scope="module")
def page() -> str:
    return render(report(3), {"seed": "0", "dataset": "abc123"}, HISTORY)


def test_the_page_is_whole_and_loads_nothing(page: str):
    assert page.startswith("<!doctype html>")
    for tag, attributes in Balanced(page).met:
        assert tag not in {"script", "link", "iframe", "img", "object", "base", "image"}
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\"'\s<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_are_unique_and_each_reference_is_met(page: str):
    met = Balanced(page).met
    ids = [attributes["id"] for _, attributes in met if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = {(attributes.get("xlink:href") or "#")[1:] for _, attributes in met} - {""}
    assert references | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_every_number_of_the_tables_is_shown(page: str):
    words = Balanced(page).words
    for row in tables.state_rows(report(3)):
        assert row.meaning in words
        assert all(cell.value in words and (not cell.spread or cell.spread in words) for cell in row.cells)
    for like in to_gold.likeness_rows(report(3)):
        assert {like.label, like.meaning, like.original, like.unlearned, like.gold} <= set(words)
    for gap_row in to_gold.gap_rows(report(3)):
        assert {gap_row.value, gap_row.gold.value, gap_row.difference, gap_row.z, gap_row.tolerance} <= set(words)
    assert {"12", "3,456", "0.4217", "abc123"} <= set(words)


def test_states_read_as_mean_and_spread():
    retained = tables.state_rows(report(3))[0].cells
    assert [str(cell) for cell in retained] == ["0.1111", "0.1234", "0.1100 ± 0.0100"]
    assert str(tables.state_rows(report(1))[0].cells[2]) == "0.1000"


def test_a_figure_that_does_not_exist_is_not_assessed():
    bare = Measurements(name="unlearned", run="r", seed=0, seconds=1.0, retain={})
    text = render(report(0, states=(bare,)), {})
    assert [str(row.cells[0]) for row in tables.state_rows(report(0, states=(bare,)))][:6] == ["not assessed"] * 6
    assert "Where forgotten pairs rank" not in text
    assert "Quality kept" not in text


def test_a_training_whose_time_nobody_told_took_no_known_time():
    silent = changed(state("original", 0.1), seconds=0.0)
    made = report(0, states=(silent, state("unlearned", 0.1)))
    assert str(tables.state_rows(made)[-1].cells[0]) == "not known"
    assert not figures.times(made)
    assert figures.times(report(1))


def test_only_what_was_measured_has_a_row():
    few = [row.label for row in tables.state_rows(report(1))]
    assert "validation recall@20" not in few
    new = state("unlearned", 0.1).model_copy(
        update={"valid": 0.4711, "exposure": {"top20": 0.25, "percentile": 0.8, "served": 0.0}}
    )
    rows = {row.label: str(row.cells[0]) for row in tables.state_rows(report(0, states=(new,)))}
    assert (rows["validation recall@20"], rows["users shown a removed item, if put back"]) == ("0.4711", "0.2500")


def test_closer_figures_name_their_modality():
    probes = {"zrf": 0.91, "features_r2 image": 0.31, "image auc": 0.52, "new probe": 0.17}
    looked = changed(state("unlearned", 0.1), probes=probes, groups={"a_igf": 0.04, "other_users": 1})
    made = report(0, states=(looked,))
    rows = {row.label: str(row.cells[0]) for row in extra_tables.rows(made)}
    assert rows == {
        "gap between active and other users": "0.0400",
        "like an untrained model (ZRF)": "0.9100",
        "image: removed features readable": "0.3100",
        "image: AUC matched, that branch alone": "0.5200",
        "new probe": "0.1700",
    }
    words = Balanced(render(made, {})).words
    assert {*rows, *rows.values()} <= set(words)
    assert "A closer look" not in render(report(1), {})


def test_a_closer_look_that_failed_says_why_and_for_whom():
    probes = {"relearn_steps": 37.0, "attack_score": 0.61}
    open_ = {"relearn_steps": "200 steps did not do", "attack_score": HOSTILE}
    before = changed(state("original", 0.1), unassessed={"attack_score": HOSTILE})
    after = changed(state("unlearned", 0.1), probes=probes)
    golds = [changed(state("gold", 0.1, seed), probes={"relearn_steps": 41.0 + seed}) for seed in (0, 3)]
    stuck = changed(state("gold", 0.1, 4), unassessed=open_)
    made = report(0, states=(before, after, *golds, stuck))
    rows = {row.label: [str(cell) for cell in row.cells] for row in extra_tables.rows(made)}
    assert rows == {
        "attack probability": ["not assessed", "0.6100", "not assessed"],
        "steps to learn it again": ["not assessed", "37.0", "42.5 ± 2.1"],
    }
    expected = [
        f"attack probability (original and gold): {HOSTILE}",
        "steps to learn it again (gold): 200 steps did not do",
    ]
    assert extra_tables.gaps(made) == expected
    assert set(expected) <= set(Balanced(render(made, {})).words)
    stream = io.StringIO()
    show(made, Console(file=stream, width=200))
    assert all(f"not assessed: {line}" in stream.getvalue() for line in expected)


def test_likeness_is_read_with_its_yardstick():
    rows = to_gold.likeness_rows(report(2))
    assert [row.label for row in rows] == [
        "same items in the first twenty",
        "same order, touched users",
        "distance of scores",
    ]
    assert rows[0][2:] == ("0.5100", "0.6100", "0.7100")
    assert "Likeness to Gold" not in render(report(0), {})


def test_both_verdicts_are_named():
    made = report(2, verdict_without_gold=Outcome.PASSED, verdict_against_gold=Outcome.FAILED)
    words = " ".join(" ".join(Balanced(render(made, {})).words).split())
    assert "Without Gold: ✓ passed" in words
    assert "Against Gold: ✕ failed" in words


def test_hostile_text_is_shown_and_not_run():
    text = render(report(2, text=HOSTILE), {HOSTILE: HOSTILE}, HISTORY)
    parsed = Balanced(text)
    assert not {"script", "img"} & {tag for tag, _ in parsed.met}
    assert HOSTILE in parsed.words
    assert "&lt;script&gt;" in text


def test_without_gold_the_page_says_what_is_open():
    text = render(report(0), {})
    assert "What only Gold could tell" in text
    assert "No retrained model was given" in text
    assert "as fast as retraining" not in text
    assert "the verdict does not rest on this picture" in text
    assert "where it lies in Gold" not in text
    assert "What only Gold could tell" not in render(report(1), {})
    assert "A single Gold has no spread" in render(report(1), {})


@pytest.mark.parametrize("verdict", list(Outcome))
def test_the_verdict_stands_beside_the_title(verdict: Outcome):
    text = render(report(1, verdict=verdict), {})
    badges = re.findall(r'<h1>[^<]*</h1><span class="badge ([a-z-]+)">', text)
    assert badges == [verdict.value.replace(" ", "-")]
    assert re.search(rf"\.{badges[0]} {{ color:", text)


def test_a_removal_without_a_measurement_is_amber_and_says_so():
    made = report(0, (Check(name="residue: ids", state=Outcome.PASSED, detail="d"),))
    text = render(made, {})
    assert "<title>Audit of plain: removed; forgetting not measured</title>" in text
    header = text.split("</header>")[0]
    badge = header[header.index("</h1>") :].split("</span> ")[0]
    assert 'class="badge not-assessed"' in badge
    assert "removed; forgetting not measured</span>" in header
    assert 'class="badge passed"' not in header
    stream = io.StringIO()
    show(made, Console(file=stream, width=80, force_terminal=True, color_system="standard"))
    assert "verdict: \x1b[1;33mremoved; forgetting not measured\x1b[0m" in stream.getvalue()
    assert "removal verdict: \x1b[32mpassed\x1b[0m" in stream.getvalue()


def test_the_summary_is_one_sentence_with_counts_and_speed():
    expected = "12 items and 3,456 interactions were taken out of a trained 'plain' by 'plain' in 8.1 s"
    assert wording.summary(report(3)) == f"{expected}, 14 times as fast as retraining (112.0 s)."
    assert wording.summary(report(0)) == f"{expected}."
    one = {"users": 0, "items": 0, "interactions": 1, "modalities": 0}
    assert wording.summary(report(0, forgotten=one)).startswith("1 interaction was taken out")
    assert wording.summary(report(0, forgotten={"modalities": 2})).startswith("2 item features were taken out")
    slow = (state("unlearned", 0.1, seconds=9.0), state("gold", 0.1, seconds=3.0))
    assert wording.summary(report(1, states=slow)).endswith("; retraining took 3.0 s, which is no longer.")


def test_a_gap_is_read_by_its_sign():
    retain, forget, auc = to_gold.gap_rows(report(3))
    assert (retain.reading, retain.tone) == ("above Gold: no harm", "good")
    assert (forget.reading, forget.tone) == ("within tolerance of Gold", "good")
    assert (auc.reading, auc.tone, auc.place) == ("below Gold (not judged)", "soft", -3.0)
    known = {"recognition users": gap(0.03), "recognition features image": gap(-0.03), "bystanders' places": gap(0.03)}
    marks = {"marks items": gap(-0.03), "marks users": gap(0.03), "marks lists": gap(-0.03)}
    rows = {row.label: (row.reading, row.tone) for row in to_gold.gap_rows(report(1, gap=known | marks))}
    assert rows == {
        "residual co-occurrence: users": ("above Gold: under-forgotten", "bad"),
        "membership: features image": ("below Gold: over-forgotten", "bad"),
        "bystanders: places held by touched items": ("more places than in Gold", "bad"),
        "marks: rows of touched items": ("stands out no more than in Gold", "good"),
        "marks: rows of touched users": ("stands out more than in Gold", "bad"),
        "marks: places gained in lists": ("stands out more than in Gold", "bad"),
    }


def test_every_gap_has_a_name_in_words():
    names = ("valid", "retain_recall@20", "fold_in", "marks lists", "bystanders' places", "recognition interactions")
    assert [to_gold.gap_name(GapKey(name)) for name in names[1:]] == [
        "retained recall@20",
        "fold-in from half of the pairs",
        "marks: places gained in lists",
        "bystanders: places held by touched items",
        "membership: interactions",
    ]


def test_equal_reports_give_equal_pages(page: str):
    assert render(report(3), {"seed": "0", "dataset": "abc123"}, HISTORY) == page
    assert render(full(), {}) == render(full(), {})
    assert "<metadata>" not in page


def test_figures_name_states_in_text():
    for draw in (figures.trade_off, figures.percentiles, figures.times, figures.forest):
        svg = draw(full())
        assert all(name in svg for name in ("original", "unlearned", "gold"))
        assert len(svg) < 40_000


def test_history_may_lack_losses_and_numbers():
    assert tables.losses([{"loss": 0.5}, {"valid": 0.1}, {"epoch": 7, "loss": 0.25}]) == [(1.0, 0.5), (7.0, 0.25)]
    shards = [{"shard": shard, "epoch": epoch, "loss": 0.5} for shard in (0, 1) for epoch in (1, 2)]
    assert tables.losses(shards) == [(1.0, 0.5), (2.0, 0.5), (3.0, 0.5), (4.0, 0.5)]
    assert "Loss of the method" not in render(report(0), {}, [{"valid": 0.1}])
    assert "<details open>" in render(report(0), {}, [{"loss": 0.5}])


def test_the_terminal_shows_the_same_numbers_and_reads_no_markup():
    stream = io.StringIO()
    show(report(2, (Check(name="[red]x[/nope]", state=Outcome.FAILED, detail="[/]"),)), Console(file=stream, width=200))
    text = stream.getvalue()
    assert "[red]x[/nope]" in text
    assert all(str(cell) in text for row in tables.state_rows(report(2)) for cell in row.cells)
    assert "verdict: failed" in text


def test_a_brief_audit_names_what_failed_and_counts_the_rest():
    stream = io.StringIO()
    checks = (
        Check(name="[red]x[/nope]", state=Outcome.FAILED, detail="[/]"),
        *(Check(name=f"held {place}", state=Outcome.PASSED, detail="held") for place in range(2)),
    )
    show_briefly(report(2, checks), Console(file=stream, width=80))
    text = stream.getvalue()
    assert "verdict: failed (checks: 2 passed, 1 failed)" in text
    assert "[red]x[/nope]: [/]" in text
    assert "held 0" not in text
    assert all(str(cell) in text for cell in tables.state_rows(report(2))[0].cells)
    assert len(text.splitlines()) < 20
