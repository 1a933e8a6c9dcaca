import re
import shutil
from pathlib import Path

import pytest

from mmrecun import Dataset, jobs
from mmrecun.chunked import run as mapped
from mmrecun.data import files

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Train, evaluate, forget, check, and bring a replica to the same state."""
    monkeypatch.chdir(tmp_path)
    dataset = Dataset.synthetic(users=80, items=50, interactions=1200)
    files.save(dataset, tmp_path / "data")
    lines = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[1]
    lines = lines.replace('"u1"', repr(dataset.users.names[0])).replace('"dim": 64', '"dim": 8, "epochs": 2')
    head, tail = lines.split("jobs.apply_delta")
    exec(head, {})
    shutil.copytree("run", "replica")
    exec("from mmrecun import jobs\njobs.apply_delta" + tail, {})
    names = [sorted(path.name for path in Path(run).rglob("*")) for run in ("run2", "replica2")]
    assert set(names[1]) <= set(names[0])
    figures = [jobs.evaluate_mapped(run, "test", users=50).metrics for run in ("run2", "replica2")]
    assert figures[0] == figures[1]
    facts = [
        mapped.read(Path(run)).manifest.model_dump(include={"method", "stop", "seed"}) for run in ("run2", "replica2")
    ]
    assert facts[0] == facts[1]
    audited = jobs.audit_mapped("replica2")
    assert (audited.report.method, audited.found["parent"]) == ("local", str(tmp_path / "replica"))
