"""Any torch module: its two named embedding tables are unlearned, and put into a copy of it."""

import copy
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import save
from torch import nn

from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS, SHARED_PARAMETERS, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.further_rows import FurtherRows
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.row_map import Array, Ids, RowMap
from mmrecun.adapters.row_order import in_order
from mmrecun.adapters.towers import TowerMF, stretch_of, through
from mmrecun.atomic import replace_file
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError
from mmrecun.models.base import Recommender
from mmrecun.models.bprmf import BPRMF
from mmrecun.text import unknown_name

_OPTIMISER = "the state of an optimiser is kept elsewhere: make a new one, or empty the forgotten rows in it"


@dataclass(frozen=True)
class ModuleTables:
    """A module and the names of its tables.

    Attributes:
        module: a copy, with the rows of the users and items that stay.
        users, items: names of parameters, as in its state dict.
        further: other tables with a row for each user or item, of which those of the forgotten are emptied.
        stretches: what the rows of users and of items are multiplied by while they are unlearned.
    """

    module: nn.Module
    users: str
    items: str
    further: FurtherRows
    stretches: tuple[float, float] = (1.0, 1.0)
    name: str = "torch"
    suffix: str = ".safetensors"

    @property
    def limits(self) -> tuple[str, ...]:
        """Limits of forgetting in a module, one sentence each."""
        return (SHARED_PARAMETERS, *self.further.limits, _OPTIMISER, SERVED_ITEMS, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return a copy of the module with changed rows and everything else unchanged."""
        changed = copy.deepcopy(self.module)
        state = changed.state_dict(keep_vars=True)
        users, items = (rows / stretch for rows, stretch in zip(rows_of(model), self.stretches, strict=True))
        values = {
            self.users: row_map.put_users(_array(state[self.users]), users),
            self.items: row_map.put_items(_array(state[self.items]), items),
        }
        emptied = {"user": row_map.empty_users, "item": row_map.empty_items}
        with torch.no_grad():
            for name, rows in values.items():
                state[name].copy_(torch.from_numpy(rows))
            for name, kind in self.further.owned.items():
                state[name][torch.from_numpy(emptied[kind])] = 0
        return replace(self, module=changed)

    def write(self, path: Path) -> None:
        """Write the state dict: safetensors, or as `torch.save` does for any other suffix."""
        state = {name: value.detach().cpu().contiguous() for name, value in self.module.state_dict().items()}
        if path.suffix == ".safetensors":
            replace_file(path, save(state))
            return
        buffer = BytesIO()
        torch.save(state, buffer)
        replace_file(path, buffer.getvalue())


def load(
    module: nn.Module,
    users: str,
    items: str,
    data: Dataset | str | Path,
    user_ids: Ids | None = None,
    item_ids: Ids | None = None,
    layers: int = 0,
    towers: tuple[str, str] | None = None,
) -> ForeignModel:
    """Take a trained module whose score is a dot product of rows of two tables, or of the outputs of two towers.

    Args:
        module: the module; not changed.
        users, items: names of the two tables in its state dict, such as "user_embedding.weight".
        data: what it was trained on.
        user_ids, item_ids: ids of the rows in order, padding rows included; by default the order of the dataset.
        layers: hops over the user-item graph, if the module propagates its rows as LightGCN does.
        towers: names of the two submodules that rows pass through; they are not changed.

    Raises:
        ArtifactError: when there is no such table or tower.
        DataError: when rows and ids do not fit together.
    """
    dataset = opened_data(data)
    state = module.state_dict()
    for name in (users, items):
        if name not in state:
            raise ArtifactError(unknown_name("table", name, [key for key, value in state.items() if value.ndim == 2]))
    first, second = _array(state[users]), _array(state[items])
    row_map = RowMap.of(dataset, user_ids, item_ids, (len(first), len(second)))
    shapes = {name: tuple(value.shape) for name, value in state.items() if isinstance(value, torch.Tensor)}
    behind = _behind(module, towers, (first, second)) if towers else None
    stretches = behind.stretches if behind else (1.0, 1.0)
    artifact = ModuleTables(module, users, items, FurtherRows.of(shapes, (users, items)), stretches)
    stretched = first * stretches[0], second * stretches[1]
    mine = ForeignModel(dataset, as_recommender(*stretched, row_map, layers, plain=behind or BPRMF), artifact, row_map)
    return in_order(mine, user_ids, item_ids)


def _behind(module: nn.Module, towers: tuple[str, str], tables: tuple[Array, Array]) -> type[TowerMF]:
    user, item = found = [_submodule(module, name) for name in towers]
    stretches = []
    for name, tower, rows in zip(towers, found, tables, strict=True):
        try:
            stretches.append(stretch_of(tower, rows))
        except (RuntimeError, TypeError) as error:
            why = str(error).splitlines()[0]
            raise ArtifactError(f"tower '{name}' does not take rows of {rows.shape[1]} numbers alone: {why}") from error
    return through(user, item, (stretches[0], stretches[1]))


def _submodule(module: nn.Module, name: str) -> nn.Module:
    known: dict[str, nn.Module] = dict(module.named_modules())
    if name not in known:
        raise ArtifactError(unknown_name("tower", name, [key for key in known if key]))
    return known[name]


def module_of(model: ForeignModel) -> nn.Module:
    """Return the module of a model that came from one, of the same class, ready to be used.

    Raises:
        ArtifactError: for a model from elsewhere.
    """
    if not isinstance(model.artifact, ModuleTables):
        raise ArtifactError(f"this model came from {model.artifact.name}, not from a torch module")
    module: nn.Module = model.artifact.module
    return module


def _array(value: torch.Tensor) -> Array:
    return value.detach().cpu().float().numpy()
