"""The text of request files as programs export it: encodings, Excel's habits, fields that span lines."""

import csv
import re
import sys
from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mmrecun.data.importers.file_kinds import FIRST_BYTES, other_kind
from mmrecun.data.lookalikes import BLANKS
from mmrecun.errors import ForgetError

Warn = Callable[[str], None]
SEPARATORS = "\t,;|"
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"", "utf-8-sig"),
)
_FORMULA = re.compile(r'="(.*)"')  # how Excel is kept from reading a text as a number
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)


class Line(NamedTuple):
    """A line, or several that one field in quotation marks holds together.

    Attributes:
        number: number of its first line, from 1.
        text: without the line end.
    """

    number: int
    text: str


def read_lines(path: Path, warn: Warn) -> tuple[list[Line], str]:
    """Return the lines that are not blank, and the separator if the first line names one, as Excel's `sep=;` does.

    The encoding is UTF-8, or UTF-16 or UTF-32 with a byte order mark; anything else is read in the encoding of Windows,
    with a warning. `-` is standard input.

    Raises:
        ForgetError: when the file cannot be read, or is not text.
    """
    text = _decoded(path, _content(path), warn).rstrip("\x1a")  # the end of a file in DOS
    numbered = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    lines = [Line(number, line) for number, line in numbered if line.strip(BLANKS)]
    if lines and len(lines) > 1 and (named := _SEPARATOR_LINE.fullmatch(lines[0].text.strip(BLANKS))):
        return lines[1:], named[1]
    return lines, ""


def _content(path: Path) -> bytes:
    if str(path) == "-":
        if sys.stdin is None:
            raise ForgetError("-: standard input is closed; name a file")
        return _read_once(sys.stdin.buffer)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ForgetError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ForgetError(f"{path}: a folder, not a file of ids") from None
    except OSError as error:
        raise ForgetError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=1)
def _read_once(stream: BinaryIO) -> bytes:
    """Read a stream, and keep its content for later searches for the line of an id."""
    return stream.read()


def _decoded(path: Path, content: bytes, warn: Warn) -> str:
    if what := other_kind(content[:FIRST_BYTES]):
        raise ForgetError(f"{path}: not readable as UTF-8 text; it is {what}")
    encoding = next(name for sign, name in _ENCODINGS if content.startswith(sign))
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig" or b"\x00" in content:
            raise ForgetError(
                f"{path}: not readable as {encoding.upper().removesuffix('-SIG')} text: {error.reason}"
            ) from None
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise ForgetError(f"{path}: not readable as UTF-8 text: {error.reason}") from None
    warn(f"{path}: not UTF-8; it was read as Windows-1252")
    return text


def cells_of(text: str, separator: str) -> list[str]:
    """Return the fields of a line, without quotation marks and blanks around them; Excel's `="007"` is 007."""
    row = next(csv.reader([text], delimiter=separator or "\x1f", skipinitialspace=True), [])
    stripped = [cell.strip(BLANKS) for cell in row]
    return [formula[1] if (formula := _FORMULA.fullmatch(cell)) else cell for cell in stripped]


def line_of(path: Path, names: Collection[str] | Collection[tuple[str, str]]) -> int | None:
    """Return the number of the first line of a text file that has one of `names` in it, alone or as a field.

    Of a pair, both must be fields. None where there is no such line, or the file can be read only once, as a pipe.
    """
    if not names or not (str(path) == "-" or path.is_file()):
        return None
    lines, named = read_lines(path, lambda _: None)
    wanted: set[str | tuple[str, str]] = set(names)
    for number, text in lines:
        fields = {cell for mark in (named, *separators_in([text])) for cell in cells_of(text, mark)}
        if not wanted.isdisjoint(fields) or not wanted.isdisjoint(product(fields, repeat=2)):
            return number
    return None


def most_used_separator(texts: list[str]) -> str:
    """Return the separator that occurs in most lines; the first of equals, and "" where there is none."""
    counts = {mark: sum(mark in text for text in texts) for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: counts[mark]) if any(counts.values()) else ""


def separators_in(texts: list[str]) -> list[str]:
    """Return the separators that occur in any of the lines."""
    return [mark for mark in SEPARATORS if any(mark in text for text in texts)]


def joined(lines: list[Line], separator: str) -> list[list[Line]]:
    """Group the lines that one field in quotation marks holds together; a mark that is never closed is a plain sign."""
    groups: list[list[Line]] = []
    place = 0
    while place < len(lines):
        end = _end_of_field(lines, place, separator)
        groups.append(lines[place : end + 1])
        place = end + 1
    return groups


def _end_of_field(lines: list[Line], place: int, separator: str) -> int:
    text = lines[place].text
    opens = text.startswith('"') or (separator and f'{separator}"' in text.replace(" ", ""))
    if not opens or text.count('"') % 2 == 0:
        return place
    for end in range(place + 1, len(lines)):
        if lines[end].text.count('"') % 2:
            return end
    return place
