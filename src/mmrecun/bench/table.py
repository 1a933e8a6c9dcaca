"""The summaries as tables for a terminal, Markdown and LaTeX, all with the same cells."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from mmrecun.auditing.outcome import Outcome
from mmrecun.bench.distance import Nearest, distance, nearest
from mmrecun.bench.results import Row, RowFigure
from mmrecun.bench.spec import GOLD
from mmrecun.bench.summary import MethodSummary, Stat, Summary
from mmrecun.text import duration

NEAREST = "◆"
_WIDE, _SLIM = 150, 110  # columns of a terminal
_ONLY_IF_WIDE = ("of affected users", "overlap with Gold", "memory")
_NOT_IF_SLIM = ("speed-up",)


class Column(NamedTuple):
    """One column of the table: its heading, and what a line shows in it."""

    heading: str
    cell: Callable[[MethodSummary, Summary], str]


@dataclass(frozen=True)
class Body:
    """A summary as text.

    Attributes:
        title: title of the group.
        lines: label and cells of each method.
        best: label of the method nearest to Gold, or "".
        notes: remarks below the table.
    """

    title: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    best: str
    notes: tuple[str, ...]


def _mean(figure: RowFigure) -> Callable[[MethodSummary, Summary], str]:
    return lambda entry, _: spread(entry.stat(figure))


def spread(stat: Stat | None, digits: int = 4) -> str:
    """Format mean ± standard deviation; a dash for None.

    >>> spread(Stat(0.10119, 0.0021)), spread(None)
    ('0.1012 ± 0.0021', '–')
    """
    if stat is None:
        return "–"
    return f"{stat.mean:.{digits}f}" + (f" ± {stat.std:.{digits}f}" if stat.std is not None else "")


def _distance(entry: MethodSummary, summary: Summary) -> str:
    gold = summary.line(GOLD)
    far = distance(entry, gold) if gold is not None else None
    return "–" if far is None else f"{far.overall:.1f}"


def _seconds(entry: MethodSummary, _: Summary) -> str:
    stat = entry.stat("seconds")
    return "–" if stat is None else duration(stat.mean)


def _speed(entry: MethodSummary, _: Summary) -> str:
    stat = entry.stat("speedup_over_gold")
    return "–" if stat is None else f"{stat.mean:.1f}×"


def _memory(entry: MethodSummary, _: Summary) -> str:
    values = entry.values("peak_memory")
    return f"{max(values) / 2**30:.2f} GiB" if values else "–"


def _passes(verdict_of: Callable[[Row], Outcome | None]) -> Callable[[MethodSummary, Summary], str]:
    def cell(entry: MethodSummary, _: Summary) -> str:
        verdicts = [verdict for row in entry.done if (verdict := verdict_of(row)) is not None]
        return f"{verdicts.count(Outcome.PASSED)}/{len(verdicts)}" if verdicts else "–"

    return cell


COLUMNS = (
    Column("retained recall@20", _mean("retain_recall")),
    Column("of affected users", _mean("affected_recall")),
    Column("forget recall@20", _mean("forget_recall")),
    Column("matched AUC", _mean("matched_auc")),
    Column("fold-in", _mean("fold_in")),
    Column("overlap with Gold", _mean("overlap")),
    Column("distance", _distance),
    Column("time", _seconds),
    Column("speed-up", _speed),
    Column("memory", _memory),
    Column("passes alone", _passes(lambda row: row.verdict_without_gold)),
    Column("against Gold", _passes(lambda row: row.verdict_against_gold)),
)
HEADINGS = tuple(column.heading for column in COLUMNS)


def body(summary: Summary) -> Body:
    """Return the cells of one group."""
    lines = tuple((entry.method, tuple(column.cell(entry, summary) for column in COLUMNS)) for entry in summary.lines)
    winner = nearest(summary)
    notes = [in_words(winner)] if winner else []
    reasons: dict[str, list[str]] = {}
    for entry in summary.lines:
        if entry.reason:
            reasons.setdefault(entry.reason, []).append(entry.method)
    notes += [f"{', '.join(methods)}: {reason}" for reason, methods in reasons.items()]
    return Body(summary.title, lines, winner.method if winner else "", tuple(notes))


def in_words(winner: Nearest) -> str:
    """Return which method is nearest to Gold, how near, and among which."""
    parts = ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in winner.distance.parts.items())
    among = (
        f"of the methods that take no more than the {duration(winner.seconds)} of {winner.limit}"
        if winner.seconds is not None
        else "of all methods"
    )
    return f"Nearest to Gold {among}: {winner.method}, {winner.distance.overall:.1f} tolerances away ({parts})."


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    r"""Return a Markdown table with the first row as its head; all columns but the first are right-aligned.

    >>> print(markdown_table([("method", "time"), ("a|b", "1 s")]))
    | method | time |
    | --- | ---: |
    | a\|b | 1 s |
    """
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = " | ".join(["---", *("---:" for _ in rows[0][1:])])
    return "\n".join([lines[0], f"| {rule} |", *lines[1:]])


def markdown(summaries: Iterable[Summary]) -> str:
    """Return one Markdown table a group; the nearest to Gold is bold."""
    parts = []
    for group in map(body, summaries):
        rows = [("method", *HEADINGS)]
        rows += [(f"**{name}**" if name == group.best else name, *cells) for name, cells in group.lines]
        parts.append("\n\n".join([f"## {group.title}", markdown_table(rows), *group.notes]))
    return "\n\n".join(parts) + "\n"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
_TEX |= {"±": r"$\pm$", "–": "--", "×": r"$\times$", "◆": r"$\diamond$", "<": r"\textless{}", ">": r"\textgreater{}"}


def tex(text: str) -> str:
    r"""Escape every character of `text` that LaTeX would read as markup.

    >>> tex("5 % ± 1")
    '5 \\% $\\pm$ 1'
    """
    return "".join(_TEX.get(sign, sign) for sign in text)


def latex(summaries: Iterable[Summary]) -> str:
    """Return one `table` environment a group, with the rules of the package booktabs."""
    parts = ["% \\usepackage{booktabs}"]
    for group in map(body, summaries):
        lines = [
            (rf"\textbf{{{tex(name)}}}" if name == group.best else tex(name), *map(tex, cells))
            for name, cells in group.lines
        ]
        parts += [
            r"\begin{table}",
            rf"\caption{{{' '.join(map(tex, (group.title + '.', *group.notes)))}}}",
            rf"\begin{{tabular}}{{l{'r' * len(HEADINGS)}}}",
            r"\toprule",
            _tex_row(("method", *map(tex, HEADINGS))),
            r"\midrule",
            *map(_tex_row, lines),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(parts) + "\n"


def _tex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def terminal(group: Body, width: int) -> Table:
    """Return the table of one group for a terminal of `width` columns; a diamond marks the nearest to Gold.

    A narrow one shows means alone, and fewer columns; one of 80 columns shows every figure whole.
    """
    narrow, slim = width < _WIDE, width < _SLIM
    omitted = {*(_ONLY_IF_WIDE if narrow else ()), *(_NOT_IF_SLIM if slim else ())}
    shown = [place for place in range(len(HEADINGS)) if any(cells[place] != "–" for _, cells in group.lines)]
    shown = [place for place in shown if HEADINGS[place] not in omitted]
    table = Table(box=None, padding=(0, 0, 0, 1) if slim else (0, 1), header_style="dim")
    table.add_column("method", no_wrap=True)
    lines = [
        [cells[place].partition(" ± ")[0] if narrow else cells[place] for place in shown] for _, cells in group.lines
    ]
    for place, column in zip(shown, zip(*lines, strict=True), strict=True):
        heading = HEADINGS[place].removesuffix("@20") if slim else HEADINGS[place]
        table.add_column(Text(heading), justify="right", min_width=max(map(len, (*heading.split(), *column))))
    for (name, _), texts in zip(group.lines, lines, strict=True):
        best = name == group.best
        label = Text(f"{NEAREST} {name}" if best else f"  {name}", style="bold" if best else "")
        table.add_row(label, *map(Text, texts))
    return table
