"""Arrow files whose buffers promise more than there is are refused before polars reads them; sound ones pass."""

import random
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from mmrecun.data.importers.compressed_frames import most_bytes
from mmrecun.data.importers.readers import read_arrow
from mmrecun.errors import DataError

ROWS = 1000
TABLE = pl.DataFrame(
    {
        "at": range(ROWS),
        "title": [f"a title of {n} that is too long for a view" for n in range(ROWS)],
        "gaps": [None if n % 3 else n for n in range(ROWS)],
        "lists": [[n, None] if n % 2 else None for n in range(ROWS)],
        "kind": pl.Series(["a", "b"] * (ROWS // 2), dtype=pl.Categorical),
    }
)
WRITERS = {"e.arrow": TABLE.write_ipc_stream, "e.feather": TABLE.write_ipc}
CODECS = {"uncompressed": None, "lz4": 0, "zstd": 1}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("compression", CODECS)
def test_sound_buffers_are_read_and_lengths_beyond_the_file_are_one_line(name: str, compression: str, tmp_path: Path):
    """The length of a column of numbers is in the header of the batch or, compressed, before the column itself."""
    path = tmp_path / name
    WRITERS[name](path, compression=compression)
    assert read_arrow(path).equals(TABLE)
    whole, length = path.read_bytes(), struct.pack("<q", 8 * ROWS)
    reason = "goes beyond its batch" if compression == "uncompressed" else "promises"
    assert length in whole
    for wrong in (1 << 51, 1 << 62, 1 << 19):
        path.write_bytes(whole.replace(length, struct.pack("<q", wrong)))
        with pytest.raises(DataError, match=rf"{name}: not a readable Arrow file: .*a buffer {reason}"):
            read_arrow(path)


@pytest.mark.parametrize("codec", [name for name, number in CODECS.items() if number is not None])
def test_a_frame_holds_at_most_one_block_more_than_it_does(codec: str):
    rng = random.Random(0)
    block = 1 << 17 if codec == "zstd" else 1 << 22
    for size in (1, 1000, 1 << 17, 1 << 20, 5_000_001):
        for content in (bytes(size), rng.randbytes(size), np.arange(size // 4 + 1).tobytes()[:size]):
            frame = pa.compress(content, codec=codec, asbytes=True)
            for padding in (b"", bytes(7)):
                found = most_bytes(frame + padding, 0, len(frame + padding), CODECS[codec])
                assert len(content) <= found < len(content) + block
            with pytest.raises(ValueError, match="cut off"):
                most_bytes(frame, 0, len(frame) // 2, CODECS[codec])


def test_a_buffer_that_is_no_frame_is_told():
    for content, codec, reason in ((b"junkjunk", 0, "damaged"), (b"junkjunk", 2, "compression is unknown")):
        with pytest.raises(ValueError, match=reason):
            most_bytes(content, 0, len(content), codec)
