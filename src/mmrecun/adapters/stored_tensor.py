"""The description of a tensor in a torch checkpoint. Its numbers are read on demand."""

import math
from typing import NamedTuple

import numpy as np

from mmrecun.adapters.row_map import Array
from mmrecun.errors import ArtifactError

DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "BoolStorage": "?",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BFloat16Storage": "V2",  # two bytes, which NumPy cannot read as a number; their zeros are those of the number
}


class Storage(NamedTuple):
    """A run of numbers in the file.

    Attributes:
        key: its name in the archive.
        dtype: dtype of NumPy; "" for a type that is not read.
    """

    key: str
    dtype: str


class StoredTensor(NamedTuple):
    """A view of a storage.

    Attributes:
        storage: where the numbers are.
        offset: position of the first number in the storage.
        shape, stride: in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def view(self, content: bytearray, path: str) -> Array:
        """Return the tensor as an array that looks into `content`, the bytes of its storage.

        Raises:
            ArtifactError: when it is of an unknown type, not contiguous, or reaches beyond its storage.
        """
        if not self.storage.dtype:
            raise ArtifactError(f"{path}: a table is stored in a type that is not read here")
        numbers = np.frombuffer(content, dtype=self.storage.dtype)
        expected = tuple(math.prod(self.shape[place + 1 :]) for place in range(len(self.shape)))
        beyond = self.offset < 0 or min(self.shape, default=0) < 0 or self.offset + math.prod(self.shape) > len(numbers)
        if beyond:
            raise ArtifactError(f"{path}: damaged; a table does not fit into its storage")
        if expected != self.stride:
            raise ArtifactError(
                f"{path}: a table is not stored row by row, as after a transposition; save it with .contiguous()"
            )
        return numbers[self.offset : self.offset + math.prod(self.shape)].reshape(self.shape)
