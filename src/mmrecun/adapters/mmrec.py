"""State dicts of MMRec's models: `torch.save(model.state_dict(), path)`, which MMRec leaves to you.

MGCN, FREEDOM, BM3, LightGCN and VBPR are read whole: they become recommenders of ours that score alike, so that graphs,
layers and features are unlearned with the rows. Of any other model the two id tables are edited alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from mmrecun.adapters import checkpoints
from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.checkpoint_file import CheckpointFile
from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.mmrec_layouts import Layout, MMRecConfig, Part, features_of, layouts
from mmrecun.adapters.row_map import Array, Ids, RowMap, take_rows
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError, DataError
from mmrecun.models.base import Recommender, Sizes
from mmrecun.text import unknown_name

_CACHES = "MMRec keeps item graphs beside its data (image_adj_*.pt, text_adj_*.pt, mm_adj_*.pt): delete these files"


class MMRecStateDicts(Adapter):
    """A state dict of a model of MMRec."""

    Config = MMRecConfig
    config: MMRecConfig

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read it; see `load`."""
        return load(path, data, users, items, self.config)


@dataclass(frozen=True)
class StateDict:
    """A state dict all of whose parameters are known.

    Attributes:
        file: everything in it.
        parts: where the parameters of our recommender stand.
        raw: foreign table -> the raw features [R, F] in it.
    """

    file: CheckpointFile
    parts: tuple[Part, ...]
    raw: Mapping[str, Array]
    name: str = "mmrec"
    suffix: str = ".pth"
    limits: tuple[str, ...] = (_CACHES, SERVED_ITEMS, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return the parameters of `model` in their places; those of a modality that it lacks are zero."""
        state = model.state_dict()
        changed: dict[str, Array] = {}
        for part in self.parts:
            table = changed.get(part.theirs, self.file.array(part.theirs))
            values: Array | None = state[part.ours].cpu().numpy() if part.ours in state else None
            values = np.zeros(()) if not part.ours else values
            changed[part.theirs] = _put(part, table, values, row_map, self.raw.get(part.theirs))
        return replace(self, file=self.file.with_arrays(changed))

    def write(self, path: Path) -> None:
        """Write the state dict, the same but for these numbers."""
        self.file.write(path)


def _put(part: Part, table: Array, values: Array | None, row_map: RowMap, raw: Array | None) -> Array:
    """Return a foreign parameter with new values; forgotten rows are zero, in what raw features they hold too."""
    filled = table.copy()
    if values is None:
        filled[..., part.columns] = 0
        return filled
    if part.side:
        rows, put = (row_map.users, row_map.put_users) if part.side == "users" else (row_map.items, row_map.put_items)
        values = put(table[..., part.columns], values if raw is None else values + take_rows(raw, rows))
    filled[..., part.columns] = values
    return filled


def load(
    path: str | Path,
    data: Dataset | str | Path,
    users: Ids | None = None,
    items: Ids | None = None,
    config: MMRecConfig | None = None,
) -> ForeignModel:
    """Read a state dict; nothing of it is run, and what kind of model it is of is told by the names in it.

    Args:
        path: written by `torch.save(model.state_dict(), path)`.
        data: what it was trained on, with the features.
        users, items: ids of the rows in order; by default the order of the data, which is MMRec's own for a folder of
            MMRec that was imported.
        config: how it is read.

    Raises:
        ArtifactError: when the file is not of this format.
        ConfigError: when a required setting is missing, which no state dict holds.
        DataError: when the features or rows do not fit.
    """
    config, dataset, file = config or MMRecConfig(), opened_data(data), CheckpointFile.read(Path(path))
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    widths = {name: modality.width for name, modality in dataset.modalities.items()}
    layout = next((known for known in layouts(shapes, widths, config) if known.fits(shapes)), None)
    if layout is None:
        return checkpoints.load(path, *config.tables, dataset, users, items, config.layers or 0, name="mmrec")
    read = {part.ours.split(".")[1] for part in layout.parts if part.ours.startswith("projections.")}
    _check_features(file, shapes, dataset, config)
    narrowed = replace(dataset, modalities={name: dataset.modalities[name] for name in sorted(read)})
    return _whole(file, shapes, layout, narrowed, users, items)


def _check_features(
    file: CheckpointFile, shapes: Mapping[str, tuple[int, ...]], dataset: Dataset, config: MMRecConfig
) -> None:
    for of, name in features_of(shapes, config).items():
        if name not in dataset.modalities:
            known = unknown_name("modality", name, list(dataset.modalities))
            raise DataError(f"{file.path}: this model reads '{of}' features: {known}; name it with {of}=NAME")
        wide, width = shapes[f"{of}_embedding.weight"][-1], dataset.modalities[name].width
        if wide != width:
            raise DataError(f"{file.path}: its '{of}' features have {wide} columns, and '{name}' of the data {width}")


def _whole(
    file: CheckpointFile,
    shapes: Mapping[str, tuple[int, ...]],
    layout: Layout,
    dataset: Dataset,
    users: Ids | None,
    items: Ids | None,
) -> ForeignModel:
    model = layout.model(layout.config(), Sizes.of_dataset(dataset), None)
    tables = {part.ours: part.theirs for part in layout.parts}
    user_rows, item_rows = (shapes[tables[name]][0] for name in model.ID_TABLES)
    row_map = RowMap.of(dataset, users, items, (user_rows, item_rows))
    raw = {
        part.theirs: row_map.put_items(file.array(part.theirs), dataset.modalities[part.modality].values())
        for part in layout.parts
        if part.modality
    }
    read = [part for part in layout.parts if part.ours]
    values = {part.ours: _value(part, file.array(part.theirs), row_map, raw.get(part.theirs)) for part in read}
    state = model.state_dict()
    for name, value in values.items():
        if state[name].shape != value.shape or not np.isfinite(value).all():
            raise ArtifactError(
                f"{file.path}: '{tables[name]}' is {list(value.shape)} with {int((~np.isfinite(value)).sum())} entries "
                f"NaN or infinite, not {list(state[name].shape)} numbers"
            )
    model.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()})
    return ForeignModel(dataset, model, StateDict(file, layout.parts, raw), row_map, forgets=layout.forgets)


def _value(part: Part, table: Array, row_map: RowMap, raw: Array | None) -> Array:
    values = table[..., part.columns] - (0 if raw is None else raw)
    if not part.side:
        return values
    return take_rows(values, row_map.users if part.side == "users" else row_map.items)
