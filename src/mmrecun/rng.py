"""Random seeds: one seed, children derived by name, NumPy and torch generators. No global state."""

import hashlib
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from mmrecun.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Seed:
    """A 63-bit seed from which generators and further seeds are derived by name."""

    value: int

    def __post_init__(self) -> None:
        """Refuse what starts no generator.

        Raises:
            ConfigError: for anything but a whole number of 63 bits.
        """
        whole = isinstance(self.value, Integral) and not isinstance(self.value, bool)
        if not whole or not 0 <= self.value < 1 << 63:
            raise ConfigError(f"seed: {self.value!r} is not a whole number from 0 to {(1 << 63) - 1}")

    def child(self, name: str) -> "Seed":
        """Return an independent seed for the part called `name`; the same name gives the same seed."""
        digest = hashlib.sha256(f"{self.value}/{name}".encode()).digest()
        return Seed(int.from_bytes(digest[:8], "big") >> 1)

    def numpy(self) -> np.random.Generator:
        """Return a NumPy generator started from this seed."""
        return np.random.default_rng(self.value)

    def torch(self, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """Return a torch generator on `device` started from this seed."""
        import torch  # takes longer to load than a small request to a run in chunks

        return torch.Generator(device).manual_seed(self.value)
