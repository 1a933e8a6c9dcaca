"""Encode text with wordllama: static token vectors, averaged; the weights come in its wheel."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from mmrecun.arrays import Floats
from mmrecun.data.modality import Provenance
from mmrecun.encoders.base import Kind, checksum
from mmrecun.extras import library


class WordLlama:
    """Maps a text to 256 numbers of unit length, without a download.

    Raises:
        ConfigError: when wordllama is not installed.
    """

    kind = Kind.TEXT
    batch = 256

    def __init__(self) -> None:
        package = library("wordllama", "text", "the encoder wordllama")
        home = Path(str(package.__file__)).parent
        # the cache is its own folder, where its wheel put the weights; by default it would try to download them
        self._model = package.WordLlama.load(cache_dir=home, disable_download=True)
        weights = home / "weights" / "l2_supercat_256.safetensors"
        self.provenance = Provenance(
            encoder="wordllama",
            version=version("wordllama"),
            pooling="mean over tokens, unit length",
            checksum=checksum(weights),
        )

    def encode(self, contents: Sequence[str]) -> Floats:
        """Return float32 [B, 256]; zeros for a text without any known token."""
        rows = np.asarray(self._model.embed(list(contents)), dtype=np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        units: Floats = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
        return units
