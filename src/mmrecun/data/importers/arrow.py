"""Arrow files a batch at a time: with a footer (Feather 2), or as a stream (what Hugging Face's `datasets` writes).

A stream is a row of messages: the schema, dictionaries, and record batches (see `arrow_messages`). Polars reads streams
only whole, so messages are handed to it a few at a time. A footer (File.fbs of the Arrow format) says where the batches
are. Polars panics where that is beyond the file, so it is checked before.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from mmrecun.data.importers import arrow_messages as messages
from mmrecun.errors import DataError
from mmrecun.text import reason_of

_MAGIC = b"ARROW1"
_MARK, _END = b"\xff\xff\xff\xff", bytes(4)
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
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                    _check_footed(whole)
        if footed:
            frame = pl.scan_ipc(path, glob=False)
            yield frame.collect_schema().to_frame()
            yield from frame.collect_batches(chunk_size=rows, maintain_order=True)
            return
        with path.open("rb") as file:
            for content in _parts(file):
                yield pl.read_ipc_stream(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path}: not a readable Arrow file: {reason_of(error)}") from None
    except (struct.error, ValueError) as error:
        raise DataError(f"{path}: not a readable Arrow file: its messages are damaged ({error})") from None


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield a stream as several, the first of them without rows."""
    start: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for kind, message in _messages(file):
        if kind != messages.BATCH:
            if held:
                yield b"".join([*start, *held, _MARK + _END])
                held, size = [], 0
            start.append(message)
            if kind == messages.SCHEMA:
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
        ValueError: when the stream is cut off, does not begin with a schema, or promises more than it holds.
    """
    whole, first = os.fstat(file.fileno()).st_size, True
    while prefix := file.read(4):
        if prefix == _MARK:  # since version 0.15 of Arrow
            prefix += file.read(4)
        size = int.from_bytes(prefix[-4:], "little", signed=True)
        if not size:
            break
        header = file.read(_within(size, file, whole))
        kind = messages.kind_of(header)
        if first and kind != messages.SCHEMA:
            raise ValueError("it begins with no schema")
        first = False
        body = file.read(_within(messages.body_length(header), file, whole))
        messages.check_batch(header, body, 0, len(body))
        yield kind, prefix + header + body
    if first:
        raise ValueError("the file is empty")


def _check_footed(content: mmap.mmap) -> None:
    """Refuse a file whose footer places batches or dictionaries beyond its end, or where they promise too much.

    Raises:
        ValueError: saying what is wrong.
    """
    end = len(content) - len(_MAGIC) - 4
    size = int.from_bytes(content[max(end, 0) : end + 4], "little", signed=True)
    start = end - size  # of the footer
    if content[-len(_MAGIC) :] != _MAGIC or size <= 0 or start < len(_MAGIC):
        raise ValueError("its end is cut off")
    footer = content[start:end]
    for number in _BLOCKS:
        for offset, header, body in messages.structures(footer, messages.root(footer), number, _BLOCK):
            if min(offset, header, body) < 0 or offset + header + body > start:
                raise ValueError("a batch goes beyond its end")
            marked = content[offset : offset + len(_MARK)] == _MARK
            message = content[offset + (8 if marked else 4) : offset + header]
            messages.check_batch(message, content, offset + header, offset + header + body)


def _within(size: int, file: BinaryIO, whole: int) -> int:
    if not 0 <= size <= whole - file.tell():
        raise ValueError("the stream is cut off")
    return size
