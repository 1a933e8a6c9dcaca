"""Weights, and the state of an interrupted training, as safetensors; nothing is pickled."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mmrecun.atomic import replacing, usual_permissions
from mmrecun.errors import ArtifactError


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the parameters of `model`."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    _write(tensors, path)


def _write(tensors: dict[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors straight from where they are; no copy of them is made."""
    try:
        with usual_permissions(path):
            safetensors.torch.save_file(tensors, path, dict(metadata) if metadata else None)
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{path}: cannot be written: {error}") from None


def load_weights(model: nn.Module, path: Path) -> None:
    """Read the parameters of `model`.

    Raises:
        ArtifactError: when the file is missing, damaged or of another model.
    """
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except FileNotFoundError:
        if path.exists():  # the library says this of a file that may not be read as well
            raise ArtifactError(f"{path}: cannot be read: {os.strerror(errno.EACCES)}") from None
        raise ArtifactError(f"{path}: no such file; the run is incomplete") from None
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{path}: not a readable safetensors file: {error}") from None
    except RuntimeError:
        raise ArtifactError(f"{path}: these weights do not fit the model that the manifest describes") from None


@dataclass
class TrainState:
    """State of a training: enough to resume it as if it had never stopped.

    Attributes:
        epoch: number of finished epochs.
        best_epoch, best_score: epoch and score of the best validation so far.
        best: parameters at that epoch.
        history: one row per epoch.
        seconds: spent so far.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best_so_far(self) -> str:
        """The best validation in words, to follow others; empty before the first."""
        return f"  best valid {self.best_score:.4f} @ {self.best_epoch}" if self.best_epoch else ""

    def facts(self) -> dict[str, Any]:
        """Return everything but the parameters, in JSON's types."""
        return {
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "history": self.history,
            "seconds": self.seconds,
        }


def save_train_state(path: Path, key: str, state: TrainState, model: nn.Module, optimizer: torch.optim.Adam) -> None:
    """Write everything that a training needs to resume; `key` identifies the training."""
    tensors = {f"best/{name}": value for name, value in state.best.items()}
    tensors |= {f"model/{name}": value.detach() for name, value in model.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam/{number}/{name}": value for name, value in moments.items()}
    metadata = {"key": key, "progress": json.dumps(state.facts())}
    contiguous = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as staging:
        _write(contiguous, staging, metadata)


def load_train_state(path: Path, key: str, model: nn.Module, optimizer: torch.optim.Adam) -> TrainState:
    """Restore `model` and `optimizer`, and return the state; a new one if there is nothing to resume.

    Raises:
        ArtifactError: when the file belongs to another training or is damaged.
    """
    if not path.exists():
        return TrainState()
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{path}: cannot be resumed ({error}); remove it to start again") from None
    if metadata.get("key") != key:
        raise ArtifactError(
            f"{path}: an interrupted training with other data, settings or seed; "
            "give the same ones to resume it, or remove the file to start again"
        )
    parts: dict[str, dict[str, Tensor]] = {"best": {}, "model": {}, "adam": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = value
    model.load_state_dict(parts["model"])
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["adam"].items():
        number, _, rest = name.partition("/")
        adam.setdefault(int(number), {})[rest] = value
    state = optimizer.state_dict()
    optimizer.load_state_dict({**state, "state": adam})
    return TrainState(**json.loads(metadata["progress"]), best=parts["best"])
