"""What a benchmark leaves: tables as Markdown and JSON, with the machine and its limits."""

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import LIKE_TIKTOK
from benchmarks.limits import Limits
from benchmarks.timing import Spread, digits
from mmrecun.device import thread_facts
from mmrecun.manifest import now, versions

Row = Mapping[str, Any]
OUT = Path(__file__).parent / "out"


@dataclass(frozen=True)
class Table:
    """Rows under a title; values are text, numbers, spreads or None for what does not apply."""

    title: str
    rows: Sequence[Row]

    def markdown(self) -> str:
        """Return a Markdown table with figures to the right."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        body = [[_shown(row.get(name)) for name in names] for row in self.rows]
        rule = ["---" if any(isinstance(row.get(name), str) for row in self.rows) else "---:" for name in names]
        lines = [names, rule, *body]
        return f"### {self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, Spread):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else digits(value)


def arguments(subject: str, rounds: int, sizes: tuple[int, int, int] = LIKE_TIKTOK) -> argparse.ArgumentParser:
    """Return the options that every benchmark has."""
    parser = argparse.ArgumentParser(f"python -m benchmarks.{subject}", description=f"Measure {subject}.")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the tables")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often everything is measured")
    parser.add_argument("--data", type=_folder, action="append", default=[], help="a dataset folder; may be repeated")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs=3,
        default=sizes,
        metavar=("U", "I", "N"),
        help="of the made data: users, items, pairs",
    )
    return parser


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return Path(text)


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        **thread_facts(),
        "memory": f"{memory / (1 << 30):.0f} GiB",
        "system": platform.platform(terse=True),
        "versions": versions(),
        "measured": now(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(out: Path, subject: str, tables: Sequence[Table], limits: Limits | None = None) -> None:
    """Write `<subject>.md` and `<subject>.json` into `out`, and print the tables.

    Raises:
        SystemExit: when no table has a row, so that an empty page never looks like a measurement.
    """
    if not any(table.rows for table in tables):
        raise SystemExit(f"{subject}: nothing was measured, so nothing is written")
    facts = machine()
    pages = [table.markdown() for table in tables]
    if limits is not None:
        pages.append(Table("Limits of this machine in this run", [limits.as_row()]).markdown())
    line = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in ("versions", "processor"))
    pages.append(f"{facts['processor']}; {line}.\n")
    out.mkdir(parents=True, exist_ok=True)
    text = f"## {subject.capitalize()}\n\n" + "\n".join(pages)
    (out / f"{subject}.md").write_text(text, encoding="utf-8")
    record = {
        "machine": facts,
        "limits": None if limits is None else limits.as_json(),
        "tables": [{"title": table.title, "rows": [_plain(row) for row in table.rows]} for table in tables],
    }
    (out / f"{subject}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(text, flush=True)


def _plain(row: Row) -> dict[str, Any]:
    return {name: value._asdict() if isinstance(value, Spread) else value for name, value in row.items()}
