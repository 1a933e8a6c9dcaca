"""Convert a dataset folder to the memory-mapped files of `mapped_dataset`, once.

The parquet files are read in blocks. In memory are a number of eight bytes for each pair, sorted there, the ids of
users and items, and one block.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from mmrecun.arrays import Ints, check_shape
from mmrecun.atomic import link_or_copy, staged_folder
from mmrecun.claims import claimed
from mmrecun.data.dataset import column_buffers
from mmrecun.data.files import Header, read_header, refuse_changed
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_dataset import FEATURES, PARTS, PRESENT, MappedDataset
from mmrecun.data.npy import new_mapped_npy, read_npy
from mmrecun.data.parquet import readable_parquet
from mmrecun.errors import DataError
from mmrecun.text import preview

FOLDER, FACTS = "columns", "columns.json"
_BLOCK, _PAIRS = 1 << 20, 1 << 21
_LONGEST = 255  # bytes of an id
_SPLITS = {split.label: int(split) for split in Split}
_PAIR = "user", "item", "split"


def open_mapped(folder: Path) -> MappedDataset:
    """Map a dataset folder; the mapped files are made below it, in `columns/`, where they are missing or outdated.

    Raises:
        DataError: for what `files.load` refuses as well, and for an id that is empty, holds a NUL or is longer than 255
            bytes.
        ArtifactError: when the folder cannot be written.
    """
    header = read_header(folder)
    key = _key(folder, header)
    place = folder / FOLDER
    if _facts(place).get("key") != key:
        with claimed(place, wait=True):
            if _facts(place).get("key") != key:  # another command may have made them meanwhile
                _remove(place)
                with staged_folder(place) as staging:
                    facts = {"key": key, "digest": _Import(folder, header).write(staging)}
                    (staging / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return MappedDataset.read(place, header.name, _facts(place)["digest"])


def _facts(place: Path) -> dict[str, str]:
    """Return the key and the digest of the dataset that mapped files are of; empty where there are none."""
    try:
        facts: dict[str, str] = json.loads((place / FACTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return facts


def _key(folder: Path, header: Header) -> str:
    """Return a digest of the size and the modification time of each file, by which outdated columns are found."""
    state = hashlib.sha256()
    features = [source for name in sorted(header.modalities) for source in _feature_files(name).values()]
    for name in ("dataset.toml", "interactions.parquet", "users.parquet", "items.parquet", *features):
        try:
            facts = (folder / name).stat()
        except FileNotFoundError:
            raise DataError(f"{folder / name}: no such file") from None
        state.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return state.hexdigest()


def _feature_files(modality: str) -> dict[str, str]:
    """Return name of a mapped file -> name of its source in the dataset folder."""
    return {
        f"{FEATURES}{modality}.npy": f"features/{modality}.npy",
        f"{PRESENT}{modality}.npy": f"features/{modality}.present.npy",
    }


def _remove(place: Path) -> None:
    """Remove the files of outdated columns."""
    if place.is_dir():
        for path in place.iterdir():
            path.unlink()


class _Import:
    """Writes the mapped files of one dataset folder.

    A pair is held as one number, its key (see `_sorted_keys`), and unpacked in blocks each time its parts are needed:
    three passes for the digest, which covers all users, then all items, then all splits; two passes for each split.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self._folder, self._header = folder, header
        self._pairs = folder / "interactions.parquet"
        self._sizes: dict[str, int] = {}

    def write(self, out: Path) -> str:
        """Write all files and return the digest of the dataset.

        Raises:
            DataError: when the digest differs from the one in the header.
        """
        state = hashlib.sha256()
        for kind in ("user", "item"):
            self._write_ids(kind, out, state)
        keys, order = self._sorted_keys()
        for part in range(3):
            for block in self._unpacked(keys):
                state.update(np.ascontiguousarray(block[part]).data)
        for split in Split:
            self._write_split(split, keys, out)
        self._hash_attributes(order, state)
        self._link_features(out)
        digest = state.hexdigest()
        refuse_changed(self._folder, self._header, digest)
        return digest

    def _write_ids(self, kind: str, out: Path, state: "hashlib._Hash") -> None:
        path = self._folder / f"{kind}s.parquet"
        with readable_parquet(path):
            names = pl.scan_parquet(path, glob=False).select(pl.col("id").cast(pl.String)).collect()["id"]
        self._refuse_ids(names, kind, path)
        width = int(names.str.len_bytes().max() or 1)  # type: ignore[arg-type]
        ids = new_mapped_npy(out / f"{kind}_ids.npy", np.uint8, (len(names), width))
        for start in range(0, len(names), _BLOCK):
            block = [name.encode() for name in names[start : start + _BLOCK].to_list()]
            ids[start : start + len(block)] = np.array(block, dtype=f"S{width}").view(np.uint8).reshape(-1, width)
            state.update((b"\x00" if start else b"") + b"\x00".join(block))
        state.update(b"\x01")
        self._sizes[kind] = len(names)

    def _refuse_ids(self, names: pl.Series, kind: str, path: Path) -> None:
        if names.null_count():
            raise DataError(f"{path}: {kind} id in row {int(names.is_null().arg_true()[0])} is missing")
        if names.n_unique() != len(names):
            repeated = names.filter(names.is_duplicated()).unique(maintain_order=True)
            raise DataError(f"{path}: {kind} ids occur more than once: {preview(repeated)}")
        size = names.str.len_bytes()
        unfit = (size == 0) | (size > _LONGEST) | names.str.contains("\x00", literal=True)
        if unfit.any():
            raise DataError(
                f"{path}: {kind} id in row {int(unfit.arg_true()[0])} is empty, holds a NUL or is longer than "
                f"{_LONGEST} bytes, which mapped storage cannot hold; import the data again with other ids"
            )

    def _sorted_keys(self) -> tuple[Ints, Ints | None]:
        """Return (user * I + item) * 4 + split of each pair, ascending: int64 [N]; and the permutation that sorts them.

        The permutation is None where the pairs are already sorted or have no attributes to be permuted.
        """
        with readable_parquet(self._pairs):
            names = pl.scan_parquet(self._pairs, glob=False).collect_schema().names()
            for column in _PAIR:
                if column not in names:
                    raise DataError(f"{self._pairs}: column '{column}' is missing; there are: {', '.join(names)}")
            attributes = set(names) - set(_PAIR)
            keys = self._encoded(keep_order=bool(attributes))
        order = None
        if attributes and not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys)
            keys = keys[order]
        elif not attributes:
            keys.sort()
        self._refuse_repeated(keys)
        return keys, order

    def _encoded(self, keep_order: bool) -> Ints:
        """Return the keys of the pairs in the file's order; polars' streaming would need about 50 bytes for a pair."""
        pairs = pl.scan_parquet(self._pairs, glob=False)
        keys = np.empty(pairs.select(pl.len()).collect().item(), dtype=np.int64)
        ids = {kind: self._ids_by_row(kind) for kind in ("user", "item")}
        split = pl.col("split")
        label = pl.coalesce(pl.when(split == name).then(number) for name, number in _SPLITS.items())
        user, item = (pl.col(f"{kind}_row").cast(pl.Int64) for kind in ids)
        key = (user * self._sizes["item"] + item) * 4 + label
        for start in range(0, len(keys), _PAIRS):
            block = pairs.slice(start, _PAIRS).select(pl.col("user", "item").cast(pl.String), "split")
            for kind, rows in ids.items():
                order: Literal["left", "none"] = "left" if keep_order else "none"
                block = block.join(rows.lazy(), left_on=kind, right_on="id", how="left", maintain_order=order)
            found = block.select(key.alias("key")).collect()["key"]
            if found.null_count():
                self._refuse_unknown()
            keys[start : start + _PAIRS] = found.to_numpy()
        return keys

    def _ids_by_row(self, kind: str) -> pl.DataFrame:
        ids = pl.scan_parquet(self._folder / f"{kind}s.parquet", glob=False).select(pl.col("id").cast(pl.String))
        return ids.with_row_index(f"{kind}_row").collect()

    def _refuse_unknown(self) -> None:
        table = pl.scan_parquet(self._pairs, glob=False)
        for kind in ("user", "item"):
            known = pl.scan_parquet(self._folder / f"{kind}s.parquet", glob=False).select(pl.col("id").cast(pl.String))
            asked = table.select(pl.col(kind).cast(pl.String).alias("id"))
            lost = asked.join(known, on="id", how="anti").unique().collect(engine="streaming")["id"].sort()
            if len(lost):
                raise DataError(f"{self._pairs}: unknown {kind} id{'s' * (len(lost) > 1)}: {preview(lost)}")
        raise DataError(f"{self._pairs}: split must be train, valid or test")

    def _refuse_repeated(self, keys: Ints) -> None:
        for start in range(0, len(keys) - 1, _BLOCK):
            pairs = keys[start : start + _BLOCK + 1] >> 2
            again = np.flatnonzero(pairs[1:] == pairs[:-1])
            if len(again):
                user, item = divmod(int(pairs[again[0]]), self._sizes["item"])
                raise DataError(f"{self._pairs}: the pair of user row {user} and item row {item} occurs more than once")

    def _unpacked(self, keys: Ints) -> Iterator[tuple[Ints, Ints, np.ndarray]]:
        """Yield users (int64), items (int64) and splits (int8) of the pairs, in blocks."""
        for start in range(0, len(keys), _BLOCK):
            block = keys[start : start + _BLOCK]
            users, items = np.divmod(block >> 2, self._sizes["item"])
            yield users, items, (block & 3).astype(np.int8)

    def _write_split(self, split: Split, keys: Ints, out: Path) -> None:
        counts = np.zeros(self._sizes["user"] + 1, dtype=np.int64)
        for users, _, labels in self._unpacked(keys):
            counts[1:] += np.bincount(users[labels == split], minlength=self._sizes["user"])
        whole = int(counts.sum())
        names = [out / f"{split.label}.{part}.npy" for part in PARTS]
        # no file of zero bytes can be mapped, so an empty column is saved as it is
        columns = [new_mapped_npy(name, np.int32, (whole,)) if whole else None for name in names[:2]]
        done = 0
        for users, items, labels in self._unpacked(keys):
            chosen = labels == split
            stop = done + int(chosen.sum())
            for column, values in zip(columns, (users, items), strict=True):
                if column is not None:
                    column[done:stop] = values[chosen]
            done = stop
        for name, column in zip(names[:2], columns, strict=True):
            if column is None:
                np.save(name, np.zeros(0, dtype=np.int32))
        np.save(names[2], np.cumsum(counts))

    def _hash_attributes(self, order: Ints | None, state: "hashlib._Hash") -> None:
        """Add attributes and features to the digest in the order of `Dataset.digest`, one column at a time."""
        tables = (("interactions", _PAIR, order), ("users", ("id",), None), ("items", ("id",), None))
        for name, others, moved in tables:
            path = self._folder / f"{name}.parquet"
            with readable_parquet(path):
                names = sorted(set(pl.scan_parquet(path, glob=False).collect_schema().names()) - set(others))
                for column in names:
                    values = pl.scan_parquet(path, glob=False).select(column).collect()[column]
                    values = values if moved is None else values[moved]
                    state.update(f"{column}\x01{values.dtype}\x01".encode())
                    for part in column_buffers(values):
                        state.update(part)
        for name in sorted(self._header.modalities):
            features = read_npy(self._folder / "features" / f"{name}.npy")
            present = np.array(read_npy(self._folder / "features" / f"{name}.present.npy"), dtype=bool)
            check_shape(f"{self._folder}: features of '{name}'", features, (None, None))
            check_shape(f"{self._folder}: presence mask of '{name}'", present, (len(features),))
            state.update(f"{name}\x01{features.dtype.str}{features.shape}".encode())
            state.update(present.data)
            rows = max(1, _BLOCK // max(features.shape[1], 1))
            for start in range(0, len(features), rows):
                block = np.ascontiguousarray(features[start : start + rows])
                if not np.isfinite(block[present[start : start + rows]]).all():
                    raise DataError(f"{self._folder / 'features' / name}.npy: holds NaN or infinity; correct it")
                state.update(block.data)

    def _link_features(self, out: Path) -> None:
        for modality in self._header.modalities:
            for name, source in _feature_files(modality).items():
                link_or_copy(self._folder / source, out / name)
