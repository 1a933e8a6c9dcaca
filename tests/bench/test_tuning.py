"""Tuning: settings of the grid are real, the nearest to Gold comes first, and a mistake is one line."""

import json
from pathlib import Path

import pytest

from mmrecun.bench import tuning
from mmrecun.bench.spec import Method
from mmrecun.cli.main import main

SPEC = """
name = "tiny"
backbones = [{ model = "lightgcn", settings = { dim = 8, epochs = 3, batch_size = 512 } }]
methods = ["unlink"]
[[datasets]]
name = "made"
synthetic = { users = 60, items = 40, interactions = 700 }
[[requests]]
target = "pairs"
ratio = 0.05
"""


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["mmrecun", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_every_setting_of_the_grid_is_one_of_its_method():
    for name, choices in tuning.GRID.items():
        assert len(choices) == 5
        assert len({tuning.label(name, settings) for settings in choices}) == 5
        for settings in choices:
            Method(method=name, settings=settings).config()


def test_the_setting_nearest_to_gold_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (tmp_path / "tiny.toml").write_text(SPEC, encoding="utf-8")
    words = ("bench", "tune", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out"), "--method", "scif")
    assert called(monkeypatch, *words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["settings"] for row in found["rows"]] != []
    assert {str(row["settings"]) for row in found["rows"]} == {str(choice) for choice in tuning.GRID["scif"]}
    distances = [row["distance"] for row in found["rows"]]
    assert distances == sorted(distances)
    assert all(row["requests"] == {"pairs random 0.05": row["distance"]} for row in found["rows"])
    assert json.loads((tmp_path / "out" / "tuning.json").read_text(encoding="utf-8")) == found["rows"]
    first = (tmp_path / "out" / "tuning.md").read_text(encoding="utf-8").splitlines()
    assert first[0] == "## scif"
    assert first[4].startswith(f"| {tuning.label('scif', found['rows'][0]['settings'])} | {distances[0]:.2f} |")

    made = sorted((tmp_path / "out" / "rows").iterdir())
    before = {path: path.stat().st_mtime_ns for path in made}
    assert called(monkeypatch, *words) == 0
    assert "distance from Gold" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tune", "quik"), "unknown spec 'quik'; did you mean 'quick'?"),
        (("tune", "quick", "--method", "scfi"), "unknown method to tune 'scfi'; did you mean 'scif'?"),
        (("quik",), "unknown spec 'quik'; did you mean 'quick'?"),
        (("run", "quik"), "unknown spec 'quik'; did you mean 'quick'?"),
    ],
)
def test_a_mistake_is_one_line(words, message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    assert called(monkeypatch, "bench", *words, "--out", str(tmp_path / "out")) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not (tmp_path / "out").exists()


def test_options_may_come_before_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    assert called(monkeypatch, "bench", "--out", str(tmp_path / "out"), "quik") == 2
    assert "unknown spec 'quik'" in capsys.readouterr().err
