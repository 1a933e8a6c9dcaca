"""The most bytes that a frame of LZ4 or Zstandard can hold, from the headers of its blocks; nothing is decompressed.

All blocks of a frame but its last are full as a rule, so this is close. Sources: LZ4 Frame Format Description
(https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md); RFC 8878 for Zstandard.
"""

import mmap
import struct

_LZ4_MAGIC, _ZSTANDARD_MAGIC = 0x184D2204, 0xFD2FB528
_STORED = 1 << 31  # LZ4: marks the size of a block that is not compressed
_BLOCK = 1 << 17  # Zstandard: the most bytes in a block
_ONE_BYTE, _COMPRESSED, _RESERVED = 1, 2, 3  # Zstandard: kinds of block besides 0, as it is
_CUT_OFF = "a compressed buffer is cut off"


def most_bytes(content: bytes | mmap.mmap, start: int, stop: int, codec: int) -> int:
    """Return the most bytes that one frame can hold; what follows it up to `stop` is padding.

    Args:
        content: holds the frame.
        start: where it begins.
        stop: where it ends at the latest.
        codec: CompressionType of the Arrow format, 0 for LZ4 or 1 for Zstandard.

    Raises:
        ValueError: when it is no such frame, or is cut off.
    """
    if codec not in (0, 1):
        raise ValueError("its compression is unknown")
    (magic,) = _numbers("<I", content, start, stop)
    if magic != (_ZSTANDARD_MAGIC if codec else _LZ4_MAGIC):
        raise ValueError("a compressed buffer is damaged")
    return (_zstandard if codec else _lz4)(content, start + 4, stop)


def _lz4(content: bytes | mmap.mmap, start: int, stop: int) -> int:
    flags, sizes = _numbers("<BB", content, start, stop)
    full = 1 << (8 + 2 * (sizes >> 4 & 7))
    checksum = flags >> 4 & 1
    start += 3 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
    most = 0
    while size := _numbers("<I", content, start, stop)[0]:
        stored = size & ~_STORED
        most += stored if size & _STORED else full
        start += 4 + stored + 4 * checksum
    return most


def _zstandard(content: bytes | mmap.mmap, start: int, stop: int) -> int:
    (flags,) = _numbers("<B", content, start, stop)
    single = flags >> 5 & 1  # without the byte of the window
    start += 2 - single + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
    most, last = 0, 0
    while not last:
        low, high = _numbers("<HB", content, start, stop)
        last, kind, size = low & 1, low >> 1 & 3, (high << 16 | low) >> 3
        if kind == _RESERVED:
            raise ValueError("a compressed buffer is damaged")
        most += _BLOCK if kind == _COMPRESSED else min(size, _BLOCK)
        start += 3 + (1 if kind == _ONE_BYTE else size)
    if start > stop:
        raise ValueError(_CUT_OFF)
    return most


def _numbers(form: str, content: bytes | mmap.mmap, start: int, stop: int) -> tuple[int, ...]:
    if start + struct.calcsize(form) > stop:
        raise ValueError(_CUT_OFF)
    return struct.unpack_from(form, content, start)
