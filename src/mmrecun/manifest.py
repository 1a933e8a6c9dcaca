"""The manifest of a run: everything that identifies it and is needed to repeat it."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrecun import __version__
from mmrecun.forget.record import ForgetRecord
from mmrecun.settings import Settings
from mmrecun.text import duration, facts_html, facts_text, taken_out

if TYPE_CHECKING:
    from mmrecun.models.base import Recommender

FORMAT = 1


class Reference(Settings):
    """Something elsewhere on disk: a path relative to the run folder, and the digest it must have."""

    path: str
    digest: str


class Foreign(Settings):
    """The part of a manifest that describes a model of another library.

    Attributes:
        like: name of its format.
        reading: settings by which its file is read.
        file: its name in the folder `model` of the run.
        data: the data that the parent was trained on, where the parent is a file and no run.
    """

    like: str
    reading: dict[str, Any] = {}
    file: str
    data: Reference | None = None


class TrainedModel(Settings):
    """A recommender's registered name and its settings."""

    model: str
    settings: dict[str, Any]


class Manifest(Settings):
    """Everything that identifies a run and is needed to repeat it.

    Attributes:
        format: version of the layout of run folders.
        model, settings: the recommender's registered name and its settings.
        trained_as: what was trained, where a method has made plain vectors of it, which are the model now; this is what
            a later request trains anew. None where that is `model` itself.
        training: settings with which the model, or the first run it descends from, was trained.
        seed: seed of this run.
        dataset, dataset_name: the data of the model; inside the run folder for unlearned runs.
        parent: the run that was unlearned, by its weights' digest; None for a trained run.
        method, method_settings, forgotten, stop: how the run was unlearned; empty for a trained run.
        request_digest: keyed digest of the request; empty without a key.
        requested: sizes of the request and, with a key, hashes of its ids; None for a trained run.
        references: attribute column -> number of retained rows from which a forgotten id was removed.
        weights: SHA-256 of the weights file; empty only before the run is written.
        best_epoch, epochs, valid: best epoch on validation, number of epochs, and Recall@20 on the validation pairs; 0
            and None where a method does not choose by validation.
        carried: facts that the method reads when the run is unlearned again (see `UnlearnResult`).
        seconds: from request (or start) to a model that can be served.
        setup_seconds: time of an unlearning spent on what would exist before any request, such as the models of shards
            that the request does not affect; not part of `seconds`.
        versions: versions of the packages that affect the result.
        created: time in UTC, to the second.
        foreign: for a model of another library, kept in its own format in the folder `model`; None for our models.
    """

    format: int = FORMAT
    model: str
    settings: dict[str, Any]
    trained_as: TrainedModel | None = None
    training: dict[str, Any]
    seed: int
    dataset: Reference
    dataset_name: str
    parent: Reference | None = None
    method: str = ""
    method_settings: dict[str, Any] = {}
    request_digest: str = ""
    forgotten: dict[str, int] = {}
    stop: str = ""
    references: dict[str, int] = {}
    requested: ForgetRecord | None = None
    weights: str = ""
    best_epoch: int = 0
    epochs: int = 0
    valid: float | None = None
    carried: dict[str, Any] = {}
    seconds: float
    setup_seconds: float = 0.0
    versions: dict[str, str]
    created: str
    foreign: Foreign | None = None

    def __repr__(self) -> str:
        """Return the most important facts in a few lines; `model_dump()` returns all."""
        return facts_text(self.title, self.overview)

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return facts_html(self.title, self.overview)

    @property
    def title(self) -> str:
        """The model and how it was made."""
        return f"{self.model}, {f'unlearned by {self.method!r}' if self.method else 'trained'}"

    @property
    def overview(self) -> dict[str, str]:
        """The most important facts, name -> text; empty text where one does not apply."""
        best = f"{self.best_epoch} of {self.epochs}" + ("" if self.valid is None else f", recall@20 {self.valid:.4f}")
        return {
            "dataset": self.dataset_name,
            "forgotten": taken_out(self.forgotten),
            "from": self.parent.path if self.parent else "",
            "best epoch": best if self.best_epoch else "",
            "stopped": self.stop,
            "time": f"{duration(self.seconds)}, seed {self.seed}",
        }


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of the packages that affect a run."""
    own = {"python": platform.python_version(), "mmrecun": __version__}  # run from its sources, it has no metadata
    return own | {name: version(name) for name in ("torch", "numpy", "scipy", "polars")}


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def reference(to: Path, digest: str, seen_from: Path) -> Reference:
    """Return a reference to `to`, relative to the folder `seen_from`."""
    return Reference(path=os.path.relpath(to.resolve(), seen_from.resolve()), digest=digest)


def stamped(model: "Recommender", **facts: Any) -> Manifest:
    """Return a manifest of `model` with the current versions and time; `facts` are its other fields."""
    from mmrecun.models.registry import model_name  # loads torch, which the manifest of a run in chunks does not need

    return Manifest(
        model=model_name(model),
        settings=model.config.model_dump(mode="json"),
        versions=dict(versions()),
        created=now(),
        **facts,
    )
