"""Shape letters used in every docstring, array aliases, the check of dimensions, and ranges of indices.

U users, I items, D vector size, F features of a modality, N interactions, B batch, K list length.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mmrecun.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int8]


def concatenated_ranges(starts: Ints, counts: Ints) -> Ints:
    """Return `counts[i]` consecutive numbers from `starts[i]` on, for each i in order: int64 [sum of counts].

    >>> concatenated_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]

    Args:
        starts, counts: int64 [M].
    """
    before = np.cumsum(counts) - counts  # place in the result where each range begins
    found: Ints = np.arange(counts.sum()) + np.repeat(starts - before, counts)
    return found


def check_shape(name: str, array: "np.ndarray | Tensor", expected: Sequence[int | None]) -> None:
    """Refuse an array whose dimensions differ from `expected` (None: any length).

    >>> check_shape("scores", np.zeros((2, 3)), (2, None))

    Raises:
        ShapeError: naming the array, its dimensions and the expected ones.
    """
    actual = tuple(array.shape)
    fits = len(actual) == len(expected) and all(
        want is None or want == have for want, have in zip(expected, actual, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in expected)
        raise ShapeError(f"{name} has shape {list(actual)}, expected [{wanted}]")
