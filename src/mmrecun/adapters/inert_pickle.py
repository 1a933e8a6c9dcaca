"""Read the pickle inside a torch checkpoint without running code from it.

Pickle is a small program that may call any function by name. Here three names are known: the two that torch uses to
rebuild tensors and parameters, which become plain records, and ordered dictionaries. Every other name becomes an inert
stub: calling it, setting its state or adding to it does nothing.

Before the program is run, its instructions are scanned: those that could request more memory than the size of the file
are refused.
"""

import pickle
import pickletools
from collections import OrderedDict
from io import BytesIO
from typing import Any, Self

from mmrecun.adapters.stored_tensor import DTYPES, Storage, StoredTensor
from mmrecun.errors import ArtifactError
from mmrecun.text import reason_of

_MEMO = {"PUT", "BINPUT", "LONG_BINPUT"}
_EXTENSIONS = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER"}
_DAMAGED = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    UnicodeDecodeError,
    RecursionError,
    NotImplementedError,
)


class Inert:
    """A stub for any unknown name; it holds nothing and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """Make one, with any arguments."""
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Self:
        """Do nothing."""
        return self

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, _: object, __: object) -> None: ...

    def append(self, _: object) -> None:
        """Do nothing."""

    def extend(self, _: object) -> None:
        """Do nothing."""

    def add(self, _: object) -> None:
        """Do nothing."""


class _StorageType(Inert):
    """A class of storages, whose name gives the dtype."""

    dtype = ""


_STORAGES = {name: type(name, (_StorageType,), {"dtype": dtype}) for name, dtype in DTYPES.items()}


def _tensor(*values: Any) -> Any:
    """Return `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)` as a record."""
    storage, offset, shape, stride = (*values, None, None, None, None)[:4]
    numbers = isinstance(shape, tuple) and isinstance(stride, tuple) and isinstance(offset, int)
    if not isinstance(storage, Storage) or not numbers or not all(isinstance(size, int) for size in shape + stride):
        return Inert()
    return StoredTensor(storage, offset, shape, stride)


def _parameter(*values: Any) -> Any:
    """Return the tensor of `torch._utils._rebuild_parameter(tensor, ...)`."""
    return values[0] if values and isinstance(values[0], StoredTensor) else Inert()


class _Dictionary(OrderedDict[Any, Any]):
    """An ordered dictionary that takes no state, which state dicts use for their metadata."""

    def __setstate__(self, _: object) -> None: ...


_KNOWN: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): _Dictionary,
    **{("torch", name): cls for name, cls in _STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Resolves known names and storages; every other name is inert."""

    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name), Inert)

    def persistent_load(self, pid: Any) -> Any:
        """Read torch's reference to a storage: ("storage", type, key, device, numbers)."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[2], str)):
            return Inert()
        return Storage(pid[2], getattr(pid[1], "dtype", "") if isinstance(pid[1], type) else "")


def read_inert(content: bytes, path: str) -> Any:
    """Return what a pickle holds: dictionaries, lists, numbers, texts, `StoredTensor` and `Inert`.

    Raises:
        ArtifactError: when it is not a pickle, is damaged, or has instructions that no checkpoint needs.
    """
    try:
        _check(content)
        return _Unpickler(BytesIO(content), encoding="ASCII").load()
    except _DAMAGED as error:
        raise ArtifactError(f"{path}: not a readable checkpoint: {reason_of(error)}") from None


def _check(content: bytes) -> None:
    """Refuse instructions by which a small file could fill the memory."""
    for count, (code, argument, _) in enumerate(pickletools.genops(content)):
        if code.name in _EXTENSIONS:
            raise ValueError(f"the instruction {code.name} is not used by checkpoints")
        if code.name in _MEMO and int(str(argument)) > count:  # the memo is as long as its largest number
            raise ValueError("it numbers objects that it does not have")
