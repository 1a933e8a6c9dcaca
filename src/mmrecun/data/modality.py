"""Modality: one named set of item features, the items that have them, and where they came from."""

import re
from dataclasses import dataclass, field, replace

import numpy as np

from mmrecun.arrays import Bools, Floats, Ints, check_shape
from mmrecun.errors import DataError
from mmrecun.settings import Settings
from mmrecun.text import preview

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TAKEN = "features_r2"  # `features_r2 auc` could otherwise be two figures of an audit


def check_name(name: str) -> None:
    """Refuse a name that cannot name a modality.

    Raises:
        DataError: unless it consists of letters, digits, '_' and '-', or where it is what audits call a figure.
    """
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} cannot name a modality; use letters, digits, '_' and '-'")
    if name == _TAKEN:
        raise DataError(f"'{name}' cannot name a modality, since a figure of audits has that name; choose another")


class Provenance(Settings):
    """Origin of the features, and their terms of use; empty text means unknown.

    Attributes:
        encoder, version: name and version of what made them.
        pooling: how many outputs became one row, such as "mean over tokens".
        checksum: SHA-256 of the encoder's weights; empty where it has none.
        licence, owner: terms and owner of the content.
    """

    encoder: str = ""
    version: str = ""
    pooling: str = ""
    checksum: str = ""
    licence: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Modality:
    """Features of one kind for I items.

    Attributes:
        name: name of the modality, such as "image", "text" or "audio".
        features: float16, float32 or float64 [I, F], possibly memory-mapped; rows of absent items are never read.
        present: bool [I], true for items that have this modality.
        provenance: encoder, licence and owner.
    """

    name: str
    features: np.ndarray
    present: Bools
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        check_name(self.name)
        check_shape(f"features of '{self.name}'", self.features, (None, None))
        check_shape(f"presence mask of '{self.name}'", self.present, (len(self.features),))
        if self.features.dtype.kind != "f":
            raise DataError(f"features of '{self.name}' are {self.features.dtype}, not floating-point numbers")
        if not self.features.shape[1]:
            raise DataError(f"features of '{self.name}' have no columns")
        with np.errstate(over="ignore"):
            finite = np.isfinite(self.features.astype(np.float32, copy=False)).all(axis=1)
        bad = np.flatnonzero(~finite & self.present)
        if len(bad):
            raise DataError(
                f"features of '{self.name}' hold NaN or infinity in row {preview(bad)}, read as float32; "
                "correct them; NaN in the whole row would mean that the item has none"
            )

    @property
    def width(self) -> int:
        """F, the number of features."""
        return int(self.features.shape[1])

    def values(self) -> Floats:
        """Return the features as float32 [I, F], zero where absent."""
        return np.where(self.present[:, None], self.features, 0).astype(np.float32)

    def take(self, rows: Ints) -> "Modality":
        """Return the items of `rows`, in that order."""
        return replace(self, features=self.features[rows], present=self.present[rows])

    def without(self, items: Bools) -> "Modality":
        """Return the modality without the features of `items` (bool [I]): absent, and zero."""
        features = np.where(items[:, None], np.zeros((), self.features.dtype), self.features)
        return replace(self, features=features, present=self.present & ~items)
