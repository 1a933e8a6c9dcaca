import io

import pytest
from rich.console import Console

from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, Check
from mmrecun.report import wording
from mmrecun.report.outcome import outcome, paragraphs
from mmrecun.report.page import render
from mmrecun.report.terminal import show
from tests.report.made import HOSTILE, Balanced, full, measured, report

NAMED = {
    About.REMOVAL: "nothing requested is left in the run (2 scans: ids and rows)",
    About.FORGETTING: "no better than held-out ones (AUC 0.506, at most 9% still look known, an attack with "
    "labels reaches 0.522 with the model and 0.503 without)",
    About.UTILITY: "retained recall@20 is 0.341; it was 0.341",
    About.LEVEL: "forget recall@20 0.507 (Gold 0.500)",
    About.MARKS: "does not stand out (AUC: rows of users 0.513, rows of items 0.513 and places gained in lists 0.513)",
    About.BYSTANDERS: "no more often than chance allows (13.6% of the places in their lists; it was 13.1%)",
}


@pytest.mark.parametrize("about", list(About))
def test_what_passed_names_a_figure_of_everything_that_was_measured(about: About):
    made = full()
    assert made.verdict is Outcome.PASSED
    first, *others = paragraphs(made)
    assert (first.lead, first.state, others) == ("Measured, and held", Outcome.PASSED, [])
    assert NAMED[about] in outcome(made)


def test_what_failed_comes_first_in_plain_words():
    first, *others = paragraphs(full(Outcome.FAILED))
    assert first.lead == "Measured, and failed"
    assert not others
    text = str(first)
    assert "something that was requested is still in the run (ids: detail of residue: ids; rows: " in text
    assert "removed users' items can be distinguished from held-out ones (AUC 0.506" in text
    assert "learned with the removed ‘image’ features can be distinguished from held-out ones" in text
    assert "lists got worse" in text
    assert "what the request touched can be picked out" in text
    assert "are shown touched items too often (13.6%" in text
    assert "out of line with the 2 Golds: retained recall@20 0.507 (Gold 0.500), " in text


def test_what_could_not_be_measured_says_why_and_never_passes():
    made = full(Outcome.NOT_ASSESSED, golds=0)
    (only,) = paragraphs(made)
    assert (only.lead, only.state) == ("Could not be measured", Outcome.NOT_ASSESSED)
    assert "whether removed interactions are still known: detail of" in str(only)
    assert "what is left in ids: detail of residue: ids" in str(only)
    bare = measured("unlearned").model_copy(update={"recognition": {}})
    made = full(Outcome.NOT_ASSESSED, golds=0, states=(bare,))
    assert "whether removed interactions are still known: detail of membership: interactions" in outcome(made)


def test_what_does_not_apply_is_no_pass():
    made = full(Outcome.NOT_APPLICABLE)
    assert made.verdict is not Outcome.PASSED
    assert {paragraph.state for paragraph in paragraphs(made)} == {Outcome.NOT_APPLICABLE}
    text = render(made, {})
    assert 'class="badge passed"' not in text
    assert 'class="badge not-applicable"' in text
    stream = io.StringIO()
    show(made, Console(file=stream, width=80))
    assert "passed" not in stream.getvalue()
    assert "Does not apply to this request:" in stream.getvalue()


def test_some_scans_are_not_all_scans():
    checks = (
        Check(name="residue: ids", state=Outcome.NOT_ASSESSED, detail="the run does not say"),
        Check(name="residue: rows", state=Outcome.PASSED, detail="d"),
    )
    first, second = paragraphs(report(0, checks))
    assert "what is left in ids: the run does not say" in first.clauses
    assert second.clauses == ("nothing requested was found (1 scan: rows)",)


def test_without_a_check_of_marks_nothing_is_claimed_of_them():
    checks = tuple(check for check in full().checks if check.about is not About.MARKS)
    first, second = paragraphs(full(checks=checks, golds=0))
    assert (first.state, second.state) == (Outcome.PASSED, Outcome.NOT_ASSESSED)
    assert second.clauses == ("whether what the request touched stands out: too little was touched",)


def test_bad_golds_answer_nothing():
    void = {"state": Outcome.NOT_ASSESSED, "detail": "undertrained: gold-1"}
    checks = tuple(check.model_copy(update=void) if check.against_gold else check for check in full().checks)
    first, second = paragraphs(full(checks=checks, verdict=Outcome.NOT_ASSESSED))
    assert first.clauses == ("whether anything is in line with the 2 Golds: undertrained: gold-1",)
    assert second.state is Outcome.PASSED


def test_without_gold_all_comparisons_are_one_open_question():
    void = {"state": Outcome.NOT_ASSESSED, "detail": "no Gold run with this figure was given"}
    checks = tuple(check.model_copy(update=void) if check.against_gold else check for check in full().checks)
    _, second = paragraphs(full(checks=checks, golds=0))
    assert second.clauses == (
        "how close the run is to Gold, a model retrained without what was forgotten: none was given",
    )


def test_no_check_is_no_verdict():
    assert outcome(report(0, ())).startswith("Could not be measured: no check was made")


def test_unknown_checks_speak_for_themselves_and_are_escaped():
    checks = tuple(
        Check(name=HOSTILE, state=state, detail=HOSTILE, about=about, against_gold=gold)
        for state in Outcome
        for about in About
        for gold in (False, True)
    )
    page = Balanced(render(full(checks=checks, golds=1), {}))
    assert not {"script", "img"} & {tag for tag, _ in page.met}
    assert any(HOSTILE in words for words in page.words)


def test_the_occasion_says_when_and_beside_what():
    assert wording.occasion(full()) == (
        "Made 2026-11-26 19:26 UTC, compared with the model before and 2 retrained models (Gold)."
    )
    assert wording.occasion(full(golds=1)).endswith("and one retrained model (Gold).")
    assert wording.occasion(report(0)) == "Compared with the model before; no retrained model (Gold) was given."


def test_facts_identify_the_audit():
    facts = wording.facts(full())
    assert facts["audit made"] == "2026-11-26T19:26:08+00:00"
    assert (facts["audit format"], facts["digest of the run"]) == ("2", "f964e75d66f5b45e")
    assert (facts["digest of Gold 2"], facts["compared with"]) == ("1" * 16, "the original and the 2 Golds")
    words = Balanced(render(full(), {"seed": "0"})).words
    assert {*facts, *facts.values(), "seed"} <= set(words)


def test_persons_are_read_beside_chance():
    assert wording.persons(full()) == (
        "Of 533 people, 1.3% are served worse than by any Gold and 1.9% better than by any. One more Gold would be "
        "outside by chance too, for up to 33% of people on either side."
    )
    assert wording.persons(full(golds=1)) == ""
