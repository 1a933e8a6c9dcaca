"""One way in: recognise the source, read it, and say what its owner should know."""

from pathlib import Path

import numpy as np

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers import mmrec, tabular
from mmrecun.data.importers.options import Format, Imported, ImportOptions
from mmrecun.data.lookalikes import DIFFERENCES
from mmrecun.errors import DataError
from mmrecun.text import preview


def read(source: Path, options: ImportOptions, layout: Format = Format.AUTO) -> Imported:
    """Read `source`: a folder as MMRec or RecBole lay it out, a single `.inter` file, or a table.

    With a k-core, users and items outside it are gone, and so are their features and attributes.

    Raises:
        DataError: with file and line.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if layout is Format.AUTO:
        layout = Format.MMREC if source.is_dir() or source.suffix == ".inter" else Format.TABLE
    if layout is Format.MMREC and not (source.is_dir() or source.suffix == ".inter"):
        raise DataError(f"{source}: the mmrec format is a folder with one .inter file, or that file")
    if layout is Format.TABLE and source.is_dir():
        raise DataError(f"{source}: a folder; name the table of interactions in it, or use --format mmrec")
    imported = (mmrec if layout is Format.MMREC else tabular).read(source, options)
    dataset = imported.dataset
    if options.k_core:
        dataset = dataset.restrict(np.unique(dataset.interactions.users), np.unique(dataset.interactions.items))
    return Imported(dataset, (*imported.warnings, *_warnings(dataset)))


def _warnings(dataset: Dataset) -> list[str]:
    warnings = []
    train, pairs = dataset.train, dataset.interactions
    for kind, size, trained, used in (
        ("users", len(dataset.users), train.users, pairs.users),
        ("items", len(dataset.items), train.items, pairs.items),
    ):
        cold = np.setdiff1d(used, trained)
        gaps = size - len(np.unique(used))
        if len(cold):
            warnings.append(f"{len(cold)} {kind} are only in valid or test: cold")
        if gaps:
            warnings.append(f"{gaps} {kind} have no interaction at all (gaps in the ids, or never used)")
    full = np.flatnonzero(dataset.degrees[0] == len(dataset.items))
    if len(full):
        names = preview(dataset.users.names.gather(full))
        warnings.append(f"{len(full)} users have every item ({names}): training passes them over")
    for kind, ids in (("users", dataset.users), ("items", dataset.items)):
        twins = ids.names.filter(ids.folded.is_duplicated())
        if len(twins):
            names = preview(f"'{name}'" for name in twins)
            warnings.append(
                f"{len(twins)} {kind} differ from another in {DIFFERENCES} alone ({names}); "
                "if they are one, mend the file: a request for one leaves the other"
            )
    for name, modality in dataset.modalities.items():
        absent = int((~modality.present).sum())
        if absent:
            warnings.append(f"{absent} items have no '{name}'")
        if not modality.provenance.encoder:
            warnings.append(f"'{name}' does not say which encoder made it; note it in dataset.toml")
    return warnings
