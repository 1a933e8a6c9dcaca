"""The notebooks in examples: every cell runs, and what they show is what they say."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.docs.test_blocks_run import folder

marimo = pytest.importorskip("marimo", reason="marimo is not installed: pip install 'mmrecun[notebooks]'")
NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
__all__ = ["folder"]


def run(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict:
    """What the cells define, with small data and short trainings, in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    spec = spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app.run()[1]


@pytest.mark.filterwarnings("ignore")
def test_a_catalogue_leaves_the_lists(monkeypatch, folder):
    found = run("forget_a_catalogue", monkeypatch, folder)
    after = {row["licensor"] for row in found["lists"][1].data.iter_rows(named=True)}
    assert "Ember House" not in after
    assert found["report"].forgotten["items"] == len(found["catalogue"])


@pytest.mark.filterwarnings("ignore")
def test_methods_stand_beside_gold(monkeypatch, folder):
    table = run("compare_methods", monkeypatch, folder)["table"]
    assert table["method"].to_list() == ["before", "mmrecun", "unlink", "ascent", "Gold", "Gold"]
    assert table["retained recall@20"].is_between(0, 1).all()


@pytest.mark.filterwarnings("ignore")
def test_deleted_rows_fail_the_audit(monkeypatch, tmp_path):
    report = run("audit_a_model", monkeypatch, tmp_path)["report"]
    assert report.verdict.value == "failed"
    assert {check.name for check in report.checks if check.state.value == "failed"} >= {"residual co-occurrence: users"}
