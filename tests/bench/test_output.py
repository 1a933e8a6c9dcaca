"""The folder of a bench."""

from pathlib import Path

import pytest

from mmrecun.bench import output
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


def test_another_folder_is_no_bench(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match="is not a bench"), output.begun(tmp_path, spec_of(), tmp_path / "cache"):
        pytest.fail("begun among other files")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
