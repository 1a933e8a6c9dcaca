"""Tuning: settings of the grid are real, the nearest to Gold comes first, and a mistake is one line."""

import json
import tomllib
from pathlib import Path

import pytest

from mmrecun.bench import tuning
from mmrecun.bench.results import Row
from mmrecun.bench.spec import BenchSpec, Method
from mmrecun.bench.summary import summarise
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
    assert all(row["requests"] == {"made, lightgcn: pairs random 0.05 (5 %)": row["distance"]} for row in found["rows"])
    assert json.loads((tmp_path / "out" / "tuning.json").read_text(encoding="utf-8")) == found["rows"]
    first = (tmp_path / "out" / "tuning.md").read_text(encoding="utf-8").splitlines()
    assert first[0] == "## scif"
    assert first[4].startswith(f"| {tuning.label('scif', found['rows'][0]['settings'])} | {distances[0]:.2f} |")

    made = sorted((tmp_path / "out" / "rows").iterdir())
    before = {path: path.stat().st_mtime_ns for path in made}
    assert called(monkeypatch, *words) == 0
    assert "distance from Gold" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made} == before


def test_one_request_to_several_models_is_several_distances():
    """The first model is one tolerance of 0.02 away from Gold, the second three, the third as near as its Gold."""

    def row(model: str, method: str, auc: float) -> Row:
        key = {"dataset": "made", "model": model, "request": "pairs random 0.05", "target": "pairs", "ratio": 0.05}
        key |= {"strategy": "random", "requests": 1, "method": method, "seed": 0, "status": "done"}
        return Row.of({**key, "membership_auc": auc})

    rows = [
        row(model, method, auc)
        for model, far in (("bprmf", 0.02), ("lightgcn", 0.06), ("mgcn", 0.0))
        for method, auc in (("gold", 0.5), ("scif", 0.5 + far))
    ]
    found = tuning.distances(summarise(rows), "scif")
    assert list(found.values()) == pytest.approx([1, 3, 0])
    (tried,) = tuning.ranked(summarise(rows), "scif", [{}])
    assert tried.requests == found
    assert tried.distance == pytest.approx(4 / 3)
    assert list(found) == [f"made, {model}: pairs random 0.05 (5 %)" for model in ("bprmf", "lightgcn", "mgcn")]


def test_a_setting_that_failed_where_others_did_not_comes_after_them():
    """It is near to Gold on the request that is left; on the last one no setting can forget."""

    def row(request: str, method: str, auc: float | None) -> Row:
        key = {"dataset": "made", "model": "mgcn", "request": request, "target": "pairs", "ratio": 0.05}
        key |= {"strategy": "random", "requests": 1, "method": method, "seed": 0}
        return Row.of({**key, "membership_auc": auc, "status": "done" if auc else "failed"})

    known = {
        "small": {"gold": 0.5, "scif": 0.52, "scif damping=3": 0.5, "scif damping=9": None},
        "large": {"gold": 0.5, "scif": 0.56, "scif damping=3": None, "scif damping=9": None},
        "other": {"gold": 0.5, "scif": None, "scif damping=3": None, "scif damping=9": None},
    }
    rows = [row(request, name, auc) for request, of in known.items() for name, auc in of.items()]
    tried = tuning.ranked(summarise(rows), "scif", [{"damping": 9}, {"damping": 3}, {}])
    assert [one.settings for one in tried] == [{}, {"damping": 3}, {"damping": 9}]
    assert [one.distance for one in tried] == [pytest.approx(2), 0, None]
    large = "made, mgcn: large (5 %)"
    assert [one.failed for one in tried] == [(), (large,), ("made, mgcn: small (5 %)", large)]
    lines = tuning.markdown(tried).splitlines()
    assert lines[5] == "| scif damping=3 | 0.00 | 0.00 | failed |"
    assert lines[6] == "| scif damping=9 | – | failed | failed |"
    assert tuning.ranked(summarise([row("other", "scif", None), row("other", "gold", 0.5)]), "scif", [{}]) == []


@pytest.mark.parametrize("seed", [7, 8, 11])
def test_no_setting_is_chosen_on_the_requests_of_the_bench_itself(seed: int):
    spec = BenchSpec.of({**tomllib.loads(SPEC), "request_seed": seed})
    assert tuning.widened(spec, tuning.grid_of(["scif"])).request_seed != seed


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
