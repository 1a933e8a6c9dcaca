import pytest

from mmrecun.report import figures, forgetting, tables
from mmrecun.report.page import render
from mmrecun.report.tables import Cell
from tests.report.made import KINDS, Balanced, changed, full, measured, recognition, report


def test_every_kind_of_recognition_has_its_rows():
    groups = forgetting.recognition(full())
    assert [group.title for group in groups] == [
        "residual co-occurrence: users",
        "residual co-occurrence: items",
        "membership: interactions",
        "membership: features image",
    ]
    for group in groups:
        assert group.meaning.endswith("1,044 forgotten pairs against 307 held-out ones.")
        assert [row.label for row in group.rows] == [
            "forgotten pairs (AUC)",
            "still looks known",
            "mean place of a forgotten pair",
            "known pairs (AUC)",
            "attack with labels (AUC)",
            "attack without the model (AUC)",
        ]
        assert all(row.meaning for row in group.rows)
    assert groups[0].rows[0].cells == (
        Cell("0.822", band="± 0.021"),
        Cell("0.506", band="± 0.021"),
        Cell("0.506", "± 0.000"),
    )
    assert groups[0].rows[1].cells[1] == Cell("4%", band="0% to 9%")
    assert groups[3].rows[0].cells[0] == Cell("not applicable")


def test_an_attack_that_nobody_could_make_has_no_row():
    after = changed(measured("unlearned"), recognition={"users": recognition(0.5, attack=None)})
    (group,) = forgetting.recognition(report(0, states=(after,)))
    assert "attack with labels (AUC)" not in [row.label for row in group.rows]


def test_marks_bystanders_and_neighbours_are_shown():
    marks, bystanders, near = forgetting.others(full())
    assert {row.label: str(row.cells[1]) for row in marks.rows} == {
        "rows of touched users (AUC)": "0.513",
        "rows of touched items (AUC)": "0.513",
        "places gained in lists (AUC)": "0.513",
    }
    assert [str(cell) for cell in bystanders.rows[0].cells] == ["not applicable", "95%", "95% ± 0%"]
    assert [str(cell) for cell in bystanders.rows[1].cells] == ["13.1%", "13.6%", "13.6% ± 0.0%"]
    assert [str(cell) for cell in bystanders.rows[2].cells] == ["0.3704", "0.3659", "0.3659 ± 0.0000"]
    assert [str(row.cells[1]) for row in near.rows] == ["-0.003", "-0.333", "-0.528"]
    assert str(near.rows[0].cells[2]) == "-0.003 ± 0.000"
    assert forgetting.others(report(1)) == []


def test_bands_stand_beside_single_states_only():
    retained = next(row for row in tables.state_rows(full()) if row.label == "retained recall@20")
    assert [cell.band for cell in retained.cells] == ["0.367 to 0.445", "0.367 to 0.445", ""]


def test_the_page_shows_every_new_figure():
    words = Balanced(render(full(), {})).words
    for group in (*forgetting.recognition(full()), *forgetting.others(full())):
        assert group.meaning in words
        for row in group.rows:
            assert {row.label, row.meaning} <= set(words)
            assert {part for cell in row.cells for part in cell if part} <= set(words)
    bare = render(report(1), {})
    assert "Is it still known?" not in bare
    assert "does anybody else pay" not in bare


@pytest.mark.parametrize("kind", KINDS)
def test_the_forest_names_every_kind(kind: str):
    assert kind in figures.forest(full())


def test_pictures_need_figures():
    assert figures.forest(report(1)) == ""
    assert figures.person_gaps(report(1)) == ""
    assert "recall@20 of a person" in figures.person_gaps(full())
