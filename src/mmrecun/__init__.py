"""Take users, items, interactions and modalities back out of a trained multi-modal recommender, with evidence."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmrecun.auditing.result import AuditReport
    from mmrecun.data.dataset import Dataset
    from mmrecun.errors import (
        ArtifactError,
        ConfigError,
        DataError,
        DiskError,
        DivergedError,
        ForgetError,
        MMRecUnError,
        ShapeError,
    )
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.jobs import audit, evaluate, recommend, train, unlearn
    from mmrecun.manifest import Manifest
    from mmrecun.runs import Run, load

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "AuditReport",
    "ConfigError",
    "DataError",
    "Dataset",
    "DiskError",
    "DivergedError",
    "ForgetError",
    "ForgetRequest",
    "MMRecUnError",
    "Manifest",
    "Run",
    "ShapeError",
    "audit",
    "evaluate",
    "load",
    "recommend",
    "train",
    "unlearn",
]

_HOMES = {
    "auditing.result": ("AuditReport",),
    "data.dataset": ("Dataset",),
    "errors": (
        "ArtifactError",
        "ConfigError",
        "DataError",
        "DiskError",
        "DivergedError",
        "ForgetError",
        "MMRecUnError",
        "ShapeError",
    ),
    "forget.request": ("ForgetRequest",),
    "jobs": ("audit", "evaluate", "recommend", "train", "unlearn"),
    "manifest": ("Manifest",),
    "runs": ("Run", "load"),
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package does not load torch."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
