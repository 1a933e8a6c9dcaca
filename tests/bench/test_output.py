"""The folder of a bench."""

from pathlib import Path

import pytest

from mmrecun.bench import output
from tests.bench.test_bench import spec_of


def test_the_clock_of_a_bench_starts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = output.begin(tmp_path / "out", spec_of())
    monkeypatch.setattr(output, "now", lambda: "2999-01-01T00:00:00+00:00")
    assert output.begin(tmp_path / "out", spec_of()).started == first.started
