"""The folder of a bench."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from mmrecun.bench import output
from mmrecun.bench.table import HEADINGS, Body, terminal
from mmrecun.errors import ArtifactError, ConfigError
from tests.bench.test_bench import spec_of


def test_the_clock_of_a_bench_starts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with output.begun(tmp_path / "out", spec_of(), tmp_path / "out" / "cache") as first:
        pass
    monkeypatch.setattr(output, "now", lambda: "2999-01-01T00:00:00+00:00")
    with output.begun(tmp_path / "out", spec_of(), tmp_path / "out" / "cache") as again:
        assert again.started == first.started


def test_what_a_killed_bench_left_is_no_obstacle_and_goes(tmp_path: Path):
    out, cache, mark = tmp_path / "out", tmp_path / "cache", f"{'0f' * 8}.partial"
    left = [out / f".bench.json.{mark}", cache / "golds" / f".one.{mark}"]
    for path in (*left, out / ".rows.lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with output.begun(out, spec_of(), cache):
        assert not any(path.exists() for path in left)
        with pytest.raises(ArtifactError, match="another command is making"), output.begun(out, spec_of(), cache):
            pytest.fail("begun twice")
    assert [path.name for path in out.iterdir()] == ["bench.json"]


@pytest.mark.parametrize("width", [80, 110, 150, 240])
def test_no_figure_is_cut_in_a_terminal(width: int):
    cells = {"distance": "30.2", "time": "46.1 s", "speed-up": "12.4×", "memory": "0.48 GiB"}
    cells |= {"passes alone": "2/3", "against Gold": "3/3"}
    line = tuple(cells.get(heading, "0.4853 ± 0.0123") for heading in HEADINGS)
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal(Body("t", (("mmrecun-paper", line),), "", ()), width))
    text = stream.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.count("0.4853") == (6 if width >= 150 else 4)


def test_another_folder_is_no_bench(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match="is not a bench"), output.begun(tmp_path, spec_of(), tmp_path / "cache"):
        pytest.fail("begun among other files")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
