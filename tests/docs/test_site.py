"""The site is built without a broken link, and its pages load nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

pytest.importorskip("zensical", reason="zensical is not installed: pip install 'mmrecun[docs]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install 'mmrecun[docs]'")
_LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//'
)


def build(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "src").symlink_to(ROOT / "src")
    return tmp_path


def test_the_site_is_whole(copied: Path):
    done = build(copied)
    assert done.returncode == 0, done.stdout[-3000:]
    pages = list((copied / "site").rglob("*.html"))
    assert {path.stem for path in (copied / "docs").rglob("*.md")} <= {path.stem for path in pages}
    assert not [page.name for page in pages if _LOADED.search(page.read_text(encoding="utf-8"))]
    assert "mmrecun.jobs.train" in (copied / "site" / "api" / "index.html").read_text(encoding="utf-8")
    (copied / "docs" / "index.md").write_text("# Start\n\n[nowhere](tutorial.md#nowhere)\n", encoding="utf-8")
    assert build(copied).returncode != 0
