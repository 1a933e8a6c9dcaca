"""Arrow files a batch at a time: with a footer (Feather 2), or as a stream (what Hugging Face's `datasets` writes).

A stream is a row of messages: the schema, dictionaries, and record batches, each with a header as a FlatBuffer
(Message.fbs of the Arrow format). Polars reads streams only whole, so messages are handed to it a few at a time. A
footer (File.fbs) says where the batches are. Polars panics where that is beyond the file, so it is checked before.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from mmrecun.errors import DataError
from mmrecun.text import reason_of

_MAGIC = b"ARROW1"
_MARK, _END = b"\xff\xff\xff\xff", bytes(4)
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # Message.header_type
_HEADER_TYPE, _BODY_LENGTH = 1, 3  # numbers of fields of Message
_BLOCKS = 2, 3  # numbers of fields of Footer: dictionaries and record batches
_BLOCK = "<qi4xq"  # where one is, and the bytes of its header and its body
_AT_ONCE = 1 << 23  # bytes of record batches that are read together, where they are small


def arrow_batches(path: Path, rows: int = 500_000) -> Iterator[pl.DataFrame]:
    """Yield the rows of an Arrow file, first of all an empty table of its columns.

    Args:
        path: the file.
        rows: how many a table of a file with a footer has; in a stream the writer has decided that.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            footed = file.read(len(_MAGIC)) == _MAGIC
            if footed:
                _check_footer(file)
        if footed:
            frame = pl.scan_ipc(path, glob=False)
            yield frame.collect_schema().to_frame()
            yield from frame.collect_batches(chunk_size=rows, maintain_order=True)
            return
        with path.open("rb") as file:
            for content in _parts(file):
                yield pl.read_ipc_stream(content)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a readable Arrow file: {reason_of(error)}") from None
    except (struct.error, ValueError) as error:
        raise DataError(f"{path}: not a readable Arrow file: its messages are damaged ({error})") from None


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield a stream as several, the first of them without rows."""
    start: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for kind, message in _messages(file):
        if kind != _BATCH:
            if held:
                yield b"".join([*start, *held, _MARK + _END])
                held, size = [], 0
            start.append(message)
            if kind == _SCHEMA:
                yield message + _MARK + _END
            continue
        held.append(message)
        size += len(message)
        if size >= _AT_ONCE:
            yield b"".join([*start, *held, _MARK + _END])
            held, size = [], 0
    if held:
        yield b"".join([*start, *held, _MARK + _END])


def _messages(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the type of each message of a stream, and the message.

    Raises:
        ValueError: when the stream is cut off, or does not begin with a schema.
    """
    whole, first = os.fstat(file.fileno()).st_size, True
    while prefix := file.read(4):
        if prefix == _MARK:  # since version 0.15 of Arrow
            prefix += file.read(4)
        size = int.from_bytes(prefix[-4:], "little", signed=True)
        if not size:
            break
        header = file.read(_within(size, file, whole))
        kind = _field(header, _HEADER_TYPE, "<B")
        if first and kind != _SCHEMA:
            raise ValueError("it begins with no schema")
        first = False
        yield kind, prefix + header + file.read(_within(_field(header, _BODY_LENGTH, "<q"), file, whole))
    if first:
        raise ValueError("the file is empty")


def _check_footer(file: BinaryIO) -> None:
    """Refuse a file whose footer places dictionaries or record batches beyond its end.

    Raises:
        ValueError: naming the block.
    """
    whole = os.fstat(file.fileno()).st_size
    file.seek(max(whole - len(_MAGIC) - 4, 0))
    end = file.read()
    size = int.from_bytes(end[:4], "little", signed=True)
    start = whole - len(_MAGIC) - 4 - size  # of the footer
    if end[4:] != _MAGIC or size <= 0 or start < len(_MAGIC):
        raise ValueError("its end is cut off")
    file.seek(start)
    footer = file.read(size)
    for place in filter(None, (_place(footer, number) for number in _BLOCKS)):
        vector = place + struct.unpack_from("<I", footer, place)[0]
        for number in range(struct.unpack_from("<I", footer, vector)[0]):
            offset, header, body = struct.unpack_from(_BLOCK, footer, vector + 4 + number * struct.calcsize(_BLOCK))
            if min(offset, header, body) < 0 or offset + header + body > start:
                raise ValueError("a batch goes beyond its end")


def _within(size: int, file: BinaryIO, whole: int) -> int:
    if not 0 <= size <= whole - file.tell():
        raise ValueError("the stream is cut off")
    return size


def _field(header: bytes, number: int, form: str) -> int:
    """Return a number from the table of a FlatBuffer; 0, the default of all of Message, where it is not there."""
    place = _place(header, number)
    return int(struct.unpack_from(form, header, place)[0]) if place else 0


def _place(buffer: bytes, number: int) -> int:
    """Return where a field of the table of a FlatBuffer is, 0 where it is not there."""
    (table,) = struct.unpack_from("<I", buffer)
    (back,) = struct.unpack_from("<i", buffer, table)
    (size,) = struct.unpack_from("<H", buffer, table - back)
    entry = 4 + 2 * number  # of the table's list of offsets
    (offset,) = struct.unpack_from("<H", buffer, table - back + entry) if entry < size else (0,)
    return int(table + offset) if offset else 0
