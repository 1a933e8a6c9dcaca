"""The use cases: train, evaluate, recommend, unlearn, audit. The only place where the stages meet.

Each is loaded when it is first asked for: what draws nothing does not load what draws.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmrecun.jobs.absent import Absent, present_part
    from mmrecun.jobs.answering import evaluate, recommend
    from mmrecun.jobs.auditing import audit
    from mmrecun.jobs.forgetting import scope, unlearn, warnings
    from mmrecun.jobs.opening import PathLike, load
    from mmrecun.jobs.shadowing import shadow_seconds
    from mmrecun.jobs.training import VALIDATION_CUTOFF, resume_file, split_settings, train, validation_score

__all__ = [
    "VALIDATION_CUTOFF",
    "Absent",
    "PathLike",
    "audit",
    "evaluate",
    "load",
    "present_part",
    "recommend",
    "resume_file",
    "scope",
    "shadow_seconds",
    "split_settings",
    "train",
    "unlearn",
    "validation_score",
    "warnings",
]

_HOMES = {
    "absent": ("Absent", "present_part"),
    "answering": ("evaluate", "recommend"),
    "auditing": ("audit",),
    "forgetting": ("scope", "unlearn", "warnings"),
    "opening": ("PathLike", "load"),
    "shadowing": ("shadow_seconds",),
    "training": ("VALIDATION_CUTOFF", "resume_file", "split_settings", "train", "validation_score"),
}


def __getattr__(name: str) -> Any:
    """Load a use case with its module."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{home}"), name)
