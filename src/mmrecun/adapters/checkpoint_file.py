"""A `.pth` file of torch: its tables are read and replaced in place, and all other bytes are unchanged.

A file as torch has written it since version 1.6 is an uncompressed zip: one pickle, and one entry of raw numbers for
each storage. Changing numbers needs no pickle to be written, so the file is of the same classes as before.
"""

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from mmrecun.adapters.inert_pickle import read_inert
from mmrecun.adapters.row_map import Array
from mmrecun.adapters.stored_tensor import StoredTensor
from mmrecun.atomic import replace_file
from mmrecun.errors import ArtifactError
from mmrecun.text import unknown_name

_MOST_PICKLE = 64 << 20
_DEEPEST = 8


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint in memory.

    Attributes:
        path: the file.
        entries: the entries of the zip, in order: name -> bytes.
        tensors: tensors by their path in the dictionaries and lists of the pickle, such as
            "state_dict/user_embedding.weight".
        whole: what the pickle holds, as `read_inert` returns it.
    """

    path: str
    entries: Mapping[str, bytes]
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    whole: Any = field(default=None, repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, without running anything in it.

        Raises:
            ArtifactError: when there is none, or it is not of this format.
        """
        entries = _entries(path)
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ArtifactError(f"{path}: not a checkpoint of torch; save it with torch 1.6 or later")
        whole = read_inert(entries[pickles[0]], str(path))
        return cls(str(path), entries, dict(_tensors(whole)), whole)

    def _entry(self, tensor: StoredTensor) -> str:
        wanted = f"/data/{tensor.storage.key}"
        found = [name for name in self.entries if name.endswith(wanted)]
        if len(found) != 1:
            raise ArtifactError(f"{self.path}: damaged; the numbers of a table are missing")
        return found[0]

    def _known(self, name: str) -> StoredTensor:
        if name not in self.tensors:
            tables = [key for key, tensor in self.tensors.items() if len(tensor.shape) == 2]
            raise ArtifactError(f"{self.path}: {unknown_name('table', name, tables)}")
        return self.tensors[name]

    def array(self, name: str) -> Array:
        """Return the tensor called `name`, as a copy.

        Raises:
            ArtifactError: when there is none, or it does not fit its storage.
        """
        tensor = self._known(name)
        return tensor.view(bytearray(self.entries[self._entry(tensor)]), self.path).copy()

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        """Return a copy with other values in some tensors, of the same shapes."""
        entries = dict(self.entries)
        for name, values in arrays.items():
            tensor = self._known(name)
            entry = self._entry(tensor)
            content = bytearray(entries[entry])
            tensor.view(content, self.path)[...] = values
            entries[entry] = bytes(content)
        return replace(self, entries=entries)

    def without_numbers(self, names: Iterable[str]) -> Self:
        """Return a copy with zeros in the storages of some tensors, of whatever type these are."""
        emptied = {self._entry(self._known(name)) for name in names}
        return replace(
            self, entries={name: bytes(len(old)) if name in emptied else old for name, old in self.entries.items()}
        )

    def write(self, path: Path) -> None:
        """Write the zip as torch lays it out: uncompressed, the same entries in the same order."""
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, content in self.entries.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        replace_file(path, buffer.getvalue())


def _entries(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in listed):
                raise ArtifactError(f"{path}: not a checkpoint of torch, whose files are not compressed")
            size = path.stat().st_size
            if sum(entry.file_size for entry in listed) > size or len({entry.filename for entry in listed}) < len(
                listed
            ):
                raise ArtifactError(f"{path}: damaged; its entries overlap")
            if any(entry.file_size > _MOST_PICKLE for entry in listed if entry.filename.endswith(".pkl")):
                raise ArtifactError(f"{path}: its pickle is larger than that of any model; it is not read")
            return {entry.filename: archive.read(entry) for entry in listed}
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise ArtifactError(f"{path}: not a checkpoint of torch: {error}") from None


def _tensors(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, StoredTensor]]:
    """Find every tensor in dictionaries and lists, by the path to it; to some depth, since a pickle can hold itself."""
    if isinstance(value, StoredTensor):
        yield name, value
    elif isinstance(value, dict | list | tuple) and depth < _DEEPEST:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str | int):
                yield from _tensors(inner, f"{name}/{key}" if name else str(key), depth + 1)
