"""`mmrecun doctor` on a sound installation and on a broken one."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from mmrecun.cli.main import app
from mmrecun.jobs import _doctor

NAMES = ["versions", "device", "threads", "memory", "self-test"]


def test_a_sound_installation_is_told_so():
    found = CliRunner().invoke(app, ["doctor", "--json"])
    assert found.exit_code == 0, found.output
    checks = json.loads(found.stdout)["checks"]
    assert [check["name"] for check in checks] == NAMES
    assert {check["state"] for check in checks} == {"ok"}
    assert f"torch {version('torch')}" in checks[0]["detail"]


def test_what_is_broken_is_named_and_the_rest_still_looked_at(monkeypatch: pytest.MonkeyPatch):
    def broken() -> str:
        raise ImportError("libtorch.so: cannot open\nshared object")

    monkeypatch.setattr(_doctor, "_device", broken)
    monkeypatch.setattr(_doctor, "_self_test", lambda: "passed over")
    found = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "120"})
    assert found.exit_code == 1
    assert "1 of 5 checks failed" in found.stdout
    assert r"failed  ImportError: libtorch.so: cannot open\nshared object" in found.stdout
    assert "GiB free" in found.stdout


def test_the_doctor_comes_without_what_may_be_broken():
    code = "import sys, mmrecun.doctor; print(sorted({'torch', 'polars', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
