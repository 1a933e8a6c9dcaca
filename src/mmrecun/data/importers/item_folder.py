"""Features in a folder with one npy file an item, named by its id: what Ducho writes."""

from pathlib import Path

import numpy as np

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.report import Report
from mmrecun.data.modality import Modality, Provenance
from mmrecun.data.npy import read_npy
from mmrecun.errors import DataError
from mmrecun.text import counted, preview


def from_item_folder(name: str, folder: Path, items: IdMap, report: Report) -> Modality:
    """Read the features of each item from `ID.npy`; items without a file are absent.

    Ducho's own folders, `framework/model/layer/ID.npy`, may be named from the top, if they hold one layer; framework,
    model and layer are then noted as what made the features.

    Args:
        name: name of the modality.
        folder: with npy files in it, or in its only innermost folder.
        items: items of the dataset.
        report: grows by files of items that are not in the dataset.

    Raises:
        DataError: naming the file that is not a row of numbers, or of another length than the others.
    """
    inner = _innermost(folder)
    files = {path.stem: path for path in sorted(inner.glob("*.npy"))}
    rows = items.find(list(files))
    known = {path: int(row) for path, row in zip(files.values(), rows, strict=True) if row >= 0}
    if not known:
        raise DataError(
            f"{inner}: none of its {counted(len(files), 'file')} is named by an item, such as {preview(files, 3)}"
        )
    strangers = len(files) - len(known)
    if strangers:
        report.warnings.append(f"{inner}: {counted(strangers, 'file')} left out, of no item of the dataset")
    first = next(iter(known))
    width = len(_row(first))
    features = np.zeros((len(items), width), dtype=np.float32)
    present = np.zeros(len(items), dtype=bool)
    for path, row in known.items():
        values = _row(path)
        if len(values) != width:
            raise DataError(f"{path}: {counted(len(values), 'feature')}, but {first.name} has {width}")
        absent = bool(np.isnan(values).all())
        if not absent and not np.isfinite(values).all():
            raise DataError(f"{path}: features are NaN or infinite in part")
        features[row] = 0 if absent else values
        present[row] = not absent
    return Modality(name, features, present, _provenance(folder, inner))


def _innermost(folder: Path) -> Path:
    if any(folder.glob("*.npy")):
        return folder
    found = sorted({path.parent for path in folder.rglob("*.npy")})
    if not found:
        raise DataError(f"{folder}: no .npy file in it")
    if len(found) > 1:
        shown = preview([path.relative_to(folder).as_posix() for path in found], 3)
        raise DataError(f"{folder}: several folders of features ({shown}); name one of them")
    return found[0]


def _row(path: Path) -> np.ndarray:
    """Return float32 [F]; Ducho keeps dimensions of size one around them."""
    values = read_npy(path)
    if values.dtype.kind not in "fiub":
        raise DataError(f"{path}: holds {values.dtype}, not numbers")
    if values.size == 0 or values.size != max(values.shape, default=1):
        shape = list(values.shape)
        raise DataError(f"{path}: an array of shape {shape}; expected one row of features; pool the others first")
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and refused as such
        return np.asarray(values, dtype=np.float32).reshape(-1)


def _provenance(folder: Path, inner: Path) -> Provenance:
    parts = inner.relative_to(folder).parts
    if len(parts) < 3:
        return Provenance()
    *model, layer = parts
    return Provenance(encoder="/".join(model), pooling=f"output of layer {layer}")
