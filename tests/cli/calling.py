"""Calls of the command line, and their answers."""

import json
import sys

import pytest

from mmrecun.cli import main
from tests.conftest import TRAINING

SETTINGS = [part for name, value in TRAINING.items() for part in ("--set", f"{name}={value}")]


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object, columns: int = 200
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mmrecun", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stopped:
        main()
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def keys(answer: tuple[int, str, str]) -> dict:
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)
