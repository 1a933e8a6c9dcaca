"""Prepare pictures as networks expect them: a centred square, resized, normalised by channel."""

from dataclasses import dataclass

import numpy as np

from mmrecun.arrays import Floats
from mmrecun.extras import library


@dataclass(frozen=True)
class Preparation:
    """Side of the square in pixels, and mean and standard deviation of the three channels (values from 0 to 1).

    The defaults are those of networks trained on ImageNet.
    """

    side: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)

    def of(self, picture: np.ndarray) -> Floats:
        """Return float32 [3, side, side] of a picture uint8 [H, W, 3]."""
        images = library("PIL.Image", "image", "resizing pictures")
        image = images.fromarray(picture)
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        square = image.resize((self.side, self.side), images.Resampling.BICUBIC, (left, top, left + short, top + short))
        values = np.asarray(square, dtype=np.float32) / 255
        return ((values - self.mean) / self.deviation).astype(np.float32).transpose(2, 0, 1)
