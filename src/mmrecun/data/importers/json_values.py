"""Read JSON that is not one object a line, such as an array, one block at a time."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TextIO

import polars as pl

from mmrecun.data.importers.compressed import open_text, readable_text
from mmrecun.errors import DataError

_BLOCK = 1 << 20  # characters read at once
_BLANKS = re.compile(r"[ \t\r\n]*")
_NEAR_END = 16  # an error this close to the end of the block may be an incomplete value, so more is read
_ALIKE = "each must be an object, or each an id"
_ONE = 'write each as an object, such as {"user": "u1", "item": "i1"}'


class JsonValue(NamedTuple):
    """A value in a file: the line on which it begins, its text, and the parsed value."""

    line: int
    text: str
    value: Any


def json_values(path: Path) -> Iterator[JsonValue]:
    """Yield the entries of the array that a file holds, or else its values one after another.

    Raises:
        DataError: naming the line that is not JSON.
    """
    with readable_text(path) as file:
        window = _Window(path, file)
        yield from _of_array(window) if window.sign() == "[" else _in_turn(window)


@contextmanager
def as_json_lines(path: Path) -> Iterator[IO[bytes]]:
    """Write the values of a file as JSON Lines to a file without a name; plain ones become a column `id`.

    The temporary file is in Python's folder for them (TMPDIR); no other process can open it, and it ends with this one.

    Raises:
        DataError: naming the line that is not JSON, or a value that is neither an object nor an id.
    """
    with TemporaryFile() as lines:
        objects = None
        for line, text, value in json_values(path):
            if isinstance(value, list):
                raise DataError(f"{path}, line {line}: an array of lists; {_ONE}")
            if value is None or objects not in (None, isinstance(value, dict)):
                raise DataError(f"{path}, line {line}: an array of several kinds of things; {_ALIKE}")
            objects = isinstance(value, dict)
            row = text.replace("\n", " ") if objects else f'{{"id": {text}}}'  # JSON strings hold no line ends
            lines.write(row.encode() + b"\n")
        if objects is None:
            raise DataError(f"{path}: the array is empty")
        lines.seek(0)
        yield lines


def value_lines(path: Path) -> Iterator[int]:
    """Yield the line on which each value begins."""
    return (value.line for value in json_values(path))


def parsed(line: str) -> Any:
    """Return the value of a line.

    Raises:
        RepeatedNameError: when a name occurs twice in one object.
        ValueError: when it is not JSON.
    """
    return _DECODER.decode(line)


def refuse_repeated(path: Path, names: Sequence[str]) -> None:
    """Refuse JSON Lines in which an object holds one of `names` twice; polars would keep the first value.

    Only lines that hold a name twice anywhere, or spell a sign by its number, are parsed again here.

    Raises:
        DataError: naming the line and the name.
    """
    line = pl.col("line")
    twice = [line.str.count_matches(json.dumps(name, ensure_ascii=False), literal=True) > 1 for name in names]
    suspect = pl.any_horizontal(line.str.contains(r"\\[u/]"), *twice)
    first = 1
    with open_text(path, "replace", "\n") as file:
        while block := file.readlines(_BLOCK):
            table = pl.DataFrame({"line": block}).with_row_index("number", offset=first)
            for number, text in table.filter(suspect).iter_rows():
                _refuse_repeated_in(path, number, text)
            first += len(block)


def _refuse_repeated_in(path: Path, number: int, text: str) -> None:
    try:
        parsed(text)
    except RepeatedNameError as error:
        raise DataError(f"{path}, line {number}: {error}") from None
    except (ValueError, RecursionError):
        return  # whoever reads the line says what else is wrong with it


class _Window:
    """The part of a file that was read and not yet passed."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file = path, file
        self._text, self._at, self._line = "", 0, 1

    def sign(self) -> str:
        """Skip blanks; return the next character, or "" at the end of the file."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._pass_to(blanks.end() if blanks else self._at)
            if self._at < len(self._text) or not self._grow():
                return self._text[self._at : self._at + 1]

    def step(self) -> None:
        """Skip the next character."""
        self._pass_to(self._at + 1)

    def take(self) -> JsonValue:
        """Return the next value, and move behind it."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                mendable = error.pos >= len(self._text) - _NEAR_END or error.msg.startswith("Unterminated")
                if not (mendable and self._grow()):
                    raise self.wrong(error.msg, error.pos) from None
                continue
            except RepeatedNameError as error:
                raise DataError(f"{self._path}, line {self._line}: {error}") from None
            except (ValueError, RecursionError) as error:
                raise self.wrong(str(error).partition(";")[0], self._at) from None
            if end < len(self._text) - _NEAR_END or not self._grow():  # a number may continue in the next block
                found = JsonValue(self._line, self._text[self._at : end], value)
                self._pass_to(end)
                return found

    def wrong(self, reason: str, at: int | None = None) -> DataError:
        """Return the error that names a line: that of a place in the text, by default where it was passed to."""
        line = self._line + self._text.count("\n", self._at, self._at if at is None else at)
        return DataError(f"{self._path}, line {line}: not JSON: {reason[:1].lower()}{reason[1:]}")

    def _pass_to(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _grow(self) -> bool:
        """Read the next block and drop what was passed; return False at the end of the file."""
        left = len(self._text) - self._at
        block = self._file.read(max(_BLOCK, left))  # a value over many blocks is begun anew at each
        if block:
            self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)


def _of_array(window: _Window) -> Iterator[JsonValue]:
    window.step()
    sign = window.sign()
    while sign != "]":
        yield window.take()
        sign = window.sign()
        if sign == ",":
            window.step()
            window.sign()
        elif sign != "]":
            raise window.wrong("expecting ',' or ']' after an entry of the array")
    window.step()
    if window.sign():
        raise window.wrong("more follows the array; it must be one array, or one object a line")


def _in_turn(window: _Window) -> Iterator[JsonValue]:
    while window.sign():
        yield window.take()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the word {name}, write null")


class RepeatedNameError(ValueError):
    """A name that occurs twice in one object."""


def without_repeated(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON as a dict.

    Raises:
        RepeatedNameError: when a name occurs twice in it.
    """
    found = dict(fields)
    if len(found) < len(fields):  # readers differ in which of the values they keep
        names = [name for name, _ in fields]
        raise RepeatedNameError(f"'{next(name for name in names if names.count(name) > 1)}' occurs twice in one object")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=without_repeated)
