import re
from html.parser import HTMLParser

from mmrecun.audit.audit import _gaps
from mmrecun.audit.verdict import AuditReport, Check, Figures, State
from mmrecun.report import tables
from mmrecun.report.page import render

BINS = tuple([0.05] * 20)


def figures(name: str, recall: float) -> Figures:
    return Figures(
        name=name,
        run="r",
        seed=0,
        seconds=12.0,
        retain={"recall@20": recall, "ndcg@20": recall / 2},
        forget={"recall@20": 0.0123},
        auc=0.4321,
        auc_random=0.8765,
        percentiles=BINS,
        percentiles_held_out=BINS,
    )


def report(golds: int, hostile: str = "plain") -> AuditReport:
    states = (figures("original", 0.1111), figures("unlearned", 0.1234))
    states += tuple(figures("gold", 0.1 + n / 100) for n in range(golds))
    check = Check(name="membership", state=State.PASSED, detail=hostile)
    counts = {"users": 0, "items": 12, "interactions": 3456, "modalities": 0}
    return AuditReport(
        model="mgcn",
        method="mmrecun",
        dataset="d",
        forgotten=counts,
        states=states,
        gap=_gaps(states[1], states[2:]),
        checks=(check,),
        verdict=State.PASSED,
    )


class Balanced(HTMLParser):
    VOID = frozenset({"meta", "br", "img", "hr", "path", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing():
    page = render(report(3), {"seed": "0"}, [{"epoch": 1, "loss": 0.5}])
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.replace("xlink:href", "xlink"))
    for row in tables.state_rows(report(3)):
        assert all(cell in page for cell in row)
    assert "12 items and 3,456 interactions were taken out" in page


def test_hostile_text_is_shown_and_not_run():
    page = render(report(0, "<script>alert(1)</script>"), {"<b>": "<i>"})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_without_gold_the_gap_is_not_assessed():
    assert "No retrained model was given" in render(report(0), {})
    assert "No retrained model was given" not in render(report(1), {})


def test_equal_reports_give_equal_pages():
    assert render(report(2), {}) == render(report(2), {})
