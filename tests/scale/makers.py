"""Makers for tests, which workers import by name."""

import os
import secrets
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from mmrecun.atomic import staged_folder
from mmrecun.errors import ForgetError


def sum_of_needs(root: Path, place: Path, given: Mapping, progress) -> None:
    """Write the sum of `given["add"]` and of what the needs hold."""
    total = given["add"] + sum(int((root / name / "sum").read_text()) for name in given.get("of", ()))
    progress(1, 2, "half")
    with staged_folder(place) as staging:
        (staging / "deep").mkdir()
        (staging / "deep" / "word").write_text("below")
        (staging / "sum").write_text(str(total))


def refuse(root: Path, place: Path, given: Mapping, progress) -> None:
    raise ForgetError("there is nobody of that name")


def stumble(root: Path, place: Path, given: Mapping, progress) -> None:
    with staged_folder(place):
        raise ZeroDivisionError("two\nlines")


def traced(root: Path, place: Path, given: Mapping, progress) -> None:
    """Do what another maker does, and leave a file for the beginning and one for the end.

    The first time, one that is named in `given["stop_in"]` is held in the middle, until its file is taken away.
    """
    trace, piece = Path(given["trace"]), place.name
    first = not any(trace.glob(f"begin {piece} *"))
    number = secrets.token_hex(4)
    (trace / f"begin {piece} {number}").write_text(os.uname().nodename)
    if first and piece in given["stop_in"]:
        held = trace / f"held {piece} {os.uname().nodename} {os.getpid()}"
        held.write_text("")
        while held.exists():
            time.sleep(0.05)
    module, _, function = given["make"].partition(":")
    getattr(import_module(module), function)(root, place, given["given"], progress)
    (trace / f"end {piece} {number}").write_text("")
