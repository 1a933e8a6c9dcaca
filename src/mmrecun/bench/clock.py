"""Golds whose times may be compared: made by this bench, on this machine, without parallel work."""

import json
import platform
from collections.abc import Iterable
from pathlib import Path

from mmrecun.atomic import replace_file
from mmrecun.bench.results import Row
from mmrecun.bench.spec import REFERENCES


class Clock:
    """Marks Golds that were made under known conditions.

    Args:
        folder: folder with a small file for each mark, named after the Gold.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mark(self, gold: str) -> None:
        """Note that the Gold with this name has just been made here, alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._path(gold), (json.dumps({"host": platform.node()}) + "\n").encode())

    def with_speedup(self, row: Row, golds: Iterable[str]) -> Row:
        """Return a row with its speed-up over Gold, where its time and those of `golds` may be compared."""
        comparable = not row.shared and row.method not in REFERENCES
        if not (
            comparable and row.seconds and row.gold_seconds and all(self._host(gold) == row.host for gold in golds)
        ):
            return row.model_copy(update={"speedup_over_gold": None})
        return row.model_copy(update={"speedup_over_gold": row.gold_seconds / row.seconds})

    def _host(self, gold: str) -> str | None:
        try:
            found = json.loads(self._path(gold).read_text(encoding="utf-8")).get("host")
        except (OSError, ValueError, AttributeError):
            return None
        return found if isinstance(found, str) else None

    def _path(self, gold: str) -> Path:
        return self.folder / f"{Path(gold).name}.json"
