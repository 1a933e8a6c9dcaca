"""Headers of Arrow's messages (Message.fbs of the Arrow format), read as the FlatBuffers that they are.

Polars allocates what a header promises and ends the process where there is not so much memory. Hence `check_batch`
compares the lengths of the buffers with what is there. Names are those of the format, numbers those of its fields.
"""

import mmap
import struct
from collections.abc import Iterator

from mmrecun.data.importers.compressed_frames import most_bytes

SCHEMA, DICTIONARY, BATCH = 1, 2, 3  # Message.header_type
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # of Message
_DATA = 1  # of DictionaryBatch
_BUFFERS, _COMPRESSION = 2, 3  # of RecordBatch
_CODEC = 0  # of BodyCompression
_BUFFER = "<qq"  # where one begins in the body, and its bytes
_UNCOMPRESSED = -1  # in place of the number of bytes before a buffer that compression would not make smaller
_PREFIX = struct.calcsize("<q")


def kind_of(header: bytes) -> int:
    """Return what a message holds; `header` is its FlatBuffer."""
    return _number(header, root(header), _HEADER_TYPE, "<B")


def body_length(header: bytes) -> int:
    """Return the bytes that follow a message's header, as it says."""
    return _number(header, root(header), _BODY_LENGTH, "<q")


def check_batch(header: bytes, content: bytes | mmap.mmap, start: int, stop: int) -> None:
    """Refuse a record batch or dictionary whose buffers are longer than its body, packed or unpacked.

    Args:
        header: its FlatBuffer; that of any other message passes.
        content: holds its body.
        start: where the body begins.
        stop: where the body ends.

    Raises:
        ValueError: saying what is wrong.
        struct.error: when the header is no FlatBuffer.
    """
    kind = kind_of(header)
    if kind not in (DICTIONARY, BATCH):
        return
    table = _table(header, root(header), _HEADER)
    if kind == DICTIONARY:
        table = _table(header, table, _DATA)
    compressed = bool(place(header, table, _COMPRESSION))
    codec = _number(header, _table(header, table, _COMPRESSION), _CODEC, "<b") if compressed else 0
    for offset, length in structures(header, table, _BUFFERS, _BUFFER):
        if min(offset, length) < 0 or start + offset + length > stop:
            raise ValueError("a buffer goes beyond its batch")
        if compressed and length:
            _check_compressed(content, start + offset, start + offset + length, codec)


def _check_compressed(content: bytes | mmap.mmap, start: int, stop: int, codec: int) -> None:
    if stop - start < _PREFIX:
        raise ValueError("a buffer is cut off")
    (promised,) = struct.unpack_from("<q", content, start)
    if promised != _UNCOMPRESSED and not 0 <= promised <= most_bytes(content, start + _PREFIX, stop, codec):
        raise ValueError(f"a buffer promises {promised:,} bytes")


def structures(buffer: bytes, table: int, number: int, form: str) -> Iterator[tuple[int, ...]]:
    """Yield the structures of a field that is a vector of them; none where it is not there."""
    if place(buffer, table, number):
        vector = _table(buffer, table, number)
        (count,) = struct.unpack_from("<I", buffer, vector)
        for entry in range(count):
            yield struct.unpack_from(form, buffer, vector + 4 + entry * struct.calcsize(form))


def root(buffer: bytes) -> int:
    """Return where the outermost table of a FlatBuffer is."""
    return int(struct.unpack_from("<I", buffer)[0])


def place(buffer: bytes, table: int, number: int) -> int:
    """Return where a field of a table of a FlatBuffer is, 0 where it is not there."""
    (back,) = struct.unpack_from("<i", buffer, table)
    (size,) = struct.unpack_from("<H", buffer, table - back)
    entry = 4 + 2 * number  # of the table's list of offsets
    (offset,) = struct.unpack_from("<H", buffer, table - back + entry) if entry < size else (0,)
    return int(table + offset) if offset else 0


def _table(buffer: bytes, table: int, number: int) -> int:
    """Return where the table or vector is that a field points to."""
    field = place(buffer, table, number)
    if not field:
        raise ValueError("a header is damaged")
    return int(field + struct.unpack_from("<I", buffer, field)[0])


def _number(buffer: bytes, table: int, number: int, form: str) -> int:
    """Return a field; 0, the default of all that are read here, where it is not there."""
    field = place(buffer, table, number)
    return int(struct.unpack_from(form, buffer, field)[0]) if field else 0
