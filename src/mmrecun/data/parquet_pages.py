"""Compare the page headers of a Parquet file with its footer before polars reads it.

Polars allocates memory for the number of values in a header, and a damaged header with a huge number ends the
process. Names of fields are those of the Parquet format (parquet.thrift), numbers those of its structures.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrecun.data.thrift import Struct, read_struct
from mmrecun.errors import DataError

_MAGIC = b"PAR1"
_REPEATED = 2  # SchemaElement.repetition_type
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3  # PageHeader.type
_VALUES_IN = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}  # type -> field of PageHeader whose field 1 is num_values
_ENCODED_IN = {_DATA: (2, 3, 4), _DICTIONARY: (2,), _DATA_V2: (4,)}  # type -> fields of that field which are encodings
_ENCODINGS = {0, 2, 3, 4, 5, 6, 7, 8, 9}  # Encoding; polars panics at any other
_DEEPEST = 64  # of a schema
_UNCOUNTED = 100  # bytes: old versions of parquet-mr leave the header of the dictionary out of a column's length


def check_pages(path: Path) -> None:
    """Refuse a Parquet file whose headers contradict each other; a file that cannot be opened is left to its reader.

    Only the footer and the page headers are read.

    Raises:
        DataError: naming the file and the contradiction.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _check(content)
    except OSError:
        return
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if type(error) is ValueError else "its footer is damaged"
        raise DataError(f"{path}: not a readable Parquet file: {reason}") from None


def _check(content: mmap.mmap) -> None:
    size = len(content)
    if content[-4:] != _MAGIC:  # not Parquet, cut off, or encrypted: polars reports it
        return
    end = size - 8 - int.from_bytes(content[-8:-4], "little")
    if end < len(_MAGIC):
        raise ValueError("its footer is longer than the file")
    footer, _ = read_struct(content, end)
    repeated = list(_leaves(footer[2]))
    groups = footer[4]
    if sum(group[3] for group in groups) != footer[3]:
        raise ValueError("its row groups have another number of rows than the file")
    for number, group in enumerate(groups):
        if len(group[1]) != len(repeated) or group[3] < 0:
            raise ValueError(f"row group {number} does not fit the schema")
        for chunk, may_repeat in zip(group[1], repeated, strict=True):
            if 3 in chunk and 1 not in chunk:  # of another file, or encrypted, otherwise
                _check_chunk(content, end, chunk[3], None if may_repeat else group[3])


def _leaves(schema: list[Struct]) -> Iterator[bool]:
    """Yield for each column whether a row may have several values of it; the schema lists its tree depth first."""
    open_groups: list[tuple[int, bool]] = []  # children that are still to come, and whether they may repeat
    for place, element in enumerate(schema):
        repeats = element.get(3) == _REPEATED or (bool(open_groups) and open_groups[-1][1])
        if open_groups:
            open_groups[-1] = open_groups[-1][0] - 1, open_groups[-1][1]
        if element.get(5) or not place:
            open_groups.append((element.get(5, 0), repeats and bool(place)))
        else:
            yield repeats
        while open_groups and open_groups[-1][0] <= 0:
            open_groups.pop()
        if len(open_groups) > _DEEPEST:
            raise ValueError("its schema is nested too deeply")


def _check_chunk(content: mmap.mmap, end: int, column: Struct, rows: int | None) -> None:
    """Check the pages of a column chunk; `rows` is the number of values it must have, where known."""
    name, promised = _name(column[3]), column[5]
    start = column.get(11) or column[9]  # where polars begins: at the dictionary, where there is one
    stop = min(start + column[7] + _UNCOUNTED, end)
    if start < 0 or column[7] < 0 or start + column[7] > end:
        raise ValueError(f"column '{name}' goes beyond the end of the file")
    if promised < 0 or (rows is not None and promised != rows):
        raise ValueError(f"column '{name}' has {promised} values for {rows} rows")
    found = 0
    while found < promised:
        header, start = read_struct(content, start)
        unpacked, packed = header[2], header[3]
        if packed < 0 or start + packed > stop or not 0 <= unpacked <= column[6]:
            raise ValueError(f"a page of column '{name}' is longer than the column")
        start += packed
        kind: Any = header[1]
        if kind not in _VALUES_IN:
            continue
        described = header[_VALUES_IN[kind]]
        if not {described[field] for field in _ENCODED_IN[kind]} <= _ENCODINGS:
            raise ValueError(f"a page of column '{name}' has an unknown encoding")
        values = described[1]
        most = unpacked if kind == _DICTIONARY else promised - found
        if not 0 <= values <= most:
            raise ValueError(f"a page of column '{name}' promises {values} values")
        found += values if kind != _DICTIONARY else 0


def _name(path: list[bytes]) -> str:
    return ".".join(part.decode("utf-8", "replace") for part in path)
