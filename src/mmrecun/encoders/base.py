"""The contract of every encoder: contents of one kind in, one row of features for each out."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from mmrecun.arrays import Floats
from mmrecun.data.modality import Provenance
from mmrecun.errors import DataError


class Kind(StrEnum):
    """Kind of content of an encoder: str; uint8 [H, W, 3]; or `content.Sound`."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


class Encoder(Protocol):
    """Turns contents into features. The features of a content do not depend on the rest of its batch.

    Attributes:
        kind: kind of content that it reads.
        batch: number of contents in a batch.
        provenance: name, version, pooling and checksum of the weights.
    """

    kind: Kind
    batch: int
    provenance: Provenance

    def encode(self, contents: Sequence[Any]) -> Floats:
        """Return float32 [B, F] for B contents; zeros or NaN for a content in which the encoder finds nothing."""
        ...


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file of weights, as hexadecimal text.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
