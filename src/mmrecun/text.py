"""Text for people: previews, nearest names, durations, lists."""

import difflib
import html
from collections.abc import Iterable, Mapping, Sequence


def preview(values: Iterable[object], shown: int = 5) -> str:
    """Return the first few values and how many more there are, for error messages.

    >>> preview(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    listed = [str(value) for value in values]
    head = ", ".join(listed[:shown])
    return head if len(listed) <= shown else f"{head} and {len(listed) - shown} more"


def counted(count: int, word: str, one: str = "", many: str = "") -> str:
    """Return a count with its word, and with what follows it where that differs for one and for many.

    >>> counted(1, "user"), counted(1200, "user")
    ('1 user', '1,200 users')
    >>> counted(1, "item", "has", "have"), counted(2, "item", "has", "have")
    ('1 item has', '2 items have')
    """
    end = one if count == 1 else many
    return f"{count:,} {word}{'' if count == 1 else 's'}{end and ' '}{end}"


def passes(count: int) -> str:
    """Return a number of passes over the data.

    >>> passes(1), passes(3)
    ('1 pass', '3 passes')
    """
    return counted(count, "pass") if count == 1 else f"{count:,} passes"


TAKEN_OUT = {
    "users": "user",
    "items": "item",
    "interactions": "training pair",
    "held_out": "held-out pair",
    "modalities": "feature row",
}


def taken_out(counts: Mapping[str, int]) -> str:
    """Return what an unlearning took out, or would: kind -> count in words, without what is zero.

    >>> taken_out({"users": 1, "items": 0, "interactions": 8, "held_out": 2})
    '1 user, 8 training pairs, 2 held-out pairs'
    """
    return ", ".join(counted(count, TAKEN_OUT.get(kind, kind)) for kind, count in counts.items() if count)


def unknown_name(kind: str, name: object, known: Mapping[str, object] | list[str]) -> str:
    """Return one line about an unknown name, with the nearest known one.

    >>> unknown_name("model", "lightgnc", ["bprmf", "lightgcn"])
    "unknown model 'lightgnc'; did you mean 'lightgcn'? known: bprmf, lightgcn"
    """
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown {kind} '{name}'; {hint}known: {preview(sorted(known), 40) or 'none'}"


def reason_of(error: BaseException) -> str:
    r"""Return the message of an error, in one line; the name of its class where it has none.

    >>> reason_of(ValueError("line 3 is short\ndetails follow")), reason_of(EOFError())
    ('line 3 is short', 'EOFError')
    """
    lines = str(error).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__


def escape_control(value: object) -> str:
    r"""Return a value as a terminal may print it: control characters, line ends too, are written as escapes.

    >>> print(escape_control("one\nline"))
    one\nline
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(value))


def duration(seconds: float) -> str:
    """Return a time with its unit: seconds, from two minutes on minutes, from two hours on hours.

    >>> duration(0.0417), duration(31.26), duration(307), duration(9000)
    ('0.04 s', '31.3 s', '5 min 7 s', '2 h 30 min')
    """
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def listing(words: Sequence[str]) -> str:
    """Join words with commas and "and".

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return _series(words, " and ")


def alternatives(words: Sequence[str]) -> str:
    """Join words with commas and "or".

    >>> alternatives(["a", "b", "c"])
    'a, b or c'
    """
    return _series(words, " or ")


def _series(words: Sequence[str], before_last: str) -> str:
    return before_last.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def facts_text(title: str, facts: Mapping[str, str]) -> str:
    """Return a title and a line for each fact.

    >>> print(facts_text("Dataset 'films'", {"users": "7"}))
    Dataset 'films'
      users: 7
    """
    return "\n".join([title, *(f"  {name}: {value}" for name, value in facts.items() if value)])


def facts_html(title: str, facts: Mapping[str, str]) -> str:
    """Return a small HTML table of facts, for notebooks; every value is escaped.

    >>> facts_html("Run", {"model": "<mgcn>"})
    '<table><caption>Run</caption><tr><th align="left">model&emsp;</th><td align="left">&lt;mgcn&gt;</td></tr></table>'
    """
    rows = (
        f'<tr><th align="left">{html.escape(name)}&emsp;</th><td align="left">{html.escape(value)}</td></tr>'
        for name, value in facts.items()
        if value
    )
    return f"<table><caption>{html.escape(title)}</caption>{''.join(rows)}</table>"


def quoted(value: object) -> str:
    """Return a value in quotation marks, or that it is missing, for messages."""
    return "missing" if value is None else f"'{value}'"
