"""Encode contents in batches. Finished batches are kept on disk, so that an interrupted call can resume."""

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mmrecun.arrays import Bools, Floats
from mmrecun.atomic import replace_file
from mmrecun.data.modality import Modality, Provenance
from mmrecun.encoders.base import Encoder
from mmrecun.encoders.content import read_content
from mmrecun.encoders.sources import Contents
from mmrecun.errors import DataError
from mmrecun.progress import Progress
from mmrecun.text import counted

_KEPT = 4  # batches in a file of finished ones


@dataclass(frozen=True)
class Encoded:
    """Features of all items, and the reason where an item has none: item row -> reason."""

    modality: Modality
    unreadable: dict[int, str]


def encode(
    contents: Contents, encoder: Encoder, name: str, provenance: Provenance, partial: Path, progress: Progress
) -> Encoded:
    """Encode the contents of I items into the modality `name`.

    Args:
        contents: contents of the items in row order.
        encoder: encoder for this kind of content.
        name: name of the modality.
        provenance: provenance to store with the features.
        partial: folder for finished batches. Those of an earlier, interrupted call are reused if contents and encoder
            are the same. The caller removes the folder when the modality is written.
        progress: called after each batch with the number of encoded contents.

    Raises:
        DataError: when no content at all can be read.
    """
    found = [(row, piece) for row, piece in enumerate(contents.pieces) if piece is not None]
    rows = [row for row, _ in found]
    folder = partial / _key(contents, encoder)
    folder.mkdir(parents=True, exist_ok=True)
    step = encoder.batch * _KEPT
    parts = []
    for start in range(0, len(rows), step):
        part = _Part.read(folder / f"{start:09d}.npz")
        if part is None:
            pieces = [piece for _, piece in found[start : start + step]]
            part = _encoded_part(pieces, encoder, start, len(rows), progress)
            part.write(folder / f"{start:09d}.npz")
        progress(min(start + step, len(rows)), len(rows), "encoded")
        parts.append(part)
    return _joined(parts, rows, len(contents.pieces), name, provenance)


def _key(contents: Contents, encoder: Encoder) -> str:
    text = f"{contents.digest} {encoder.provenance.model_dump_json()} {encoder.batch * _KEPT}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Part:
    """Some finished contents: features float32 [N, F], bool [N] true where readable, and N reasons."""

    features: Floats
    good: Bools
    reasons: list[str]

    @classmethod
    def read(cls, path: Path) -> "_Part | None":
        """Read the part at `path`; None if there is no usable one."""
        try:
            # opened here, since NumPy leaves a damaged file open
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
                return cls(kept["features"], kept["good"], kept["reasons"].tolist())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
            return None

    def write(self, path: Path) -> None:
        """Write the part atomically."""
        buffer = io.BytesIO()
        np.savez(buffer, features=self.features, good=self.good, reasons=np.array(self.reasons, dtype=np.str_))
        replace_file(path, buffer.getvalue())


def _encoded_part(pieces: list[str | Path], encoder: Encoder, done: int, total: int, progress: Progress) -> _Part:
    features: dict[int, Floats] = {}
    reasons = [""] * len(pieces)
    for start in range(0, len(pieces), encoder.batch):
        places, batch = [], []
        for place, piece in enumerate(pieces[start : start + encoder.batch], start=start):
            try:
                batch.append(read_content(piece, encoder.kind))
                places.append(place)
            except DataError as error:
                reasons[place] = f"{piece.name}: {error}" if isinstance(piece, Path) else str(error)
        if batch:
            features.update(zip(places, encoder.encode(batch), strict=True))
        progress(done + min(start + encoder.batch, len(pieces)), total, "encoded")
    width = len(next(iter(features.values()))) if features else 0
    table = np.zeros((len(pieces), width), dtype=np.float32)
    for place, row in features.items():
        if np.isfinite(row).all() and row.any():
            table[place] = row
        else:
            reasons[place] = "the encoder finds nothing in it"
    return _Part(table, np.array([not reason for reason in reasons], dtype=bool), reasons)


def _joined(parts: list[_Part], rows: list[int], items: int, name: str, provenance: Provenance) -> Encoded:
    good = np.concatenate([part.good for part in parts])
    reasons = [reason for part in parts for reason in part.reasons]
    if not good.any():
        raise DataError(
            f"none of the contents of {counted(len(rows), 'item')} for '{name}' can be read; the first: {reasons[0]}"
        )
    width = max(part.features.shape[1] for part in parts)
    features, present = np.zeros((items, width), dtype=np.float32), np.zeros(items, dtype=bool)
    present[rows] = good
    start = 0
    for part in parts:
        stop = start + len(part.good)
        if part.good.any():  # a part without readable contents has no width
            features[np.array(rows[start:stop])[part.good]] = part.features[part.good]
        start = stop
    unreadable = {row: reason for row, reason in zip(rows, reasons, strict=True) if reason}
    return Encoded(Modality(name, features, present, provenance), unreadable)
