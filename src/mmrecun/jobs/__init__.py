"""The use cases: train, evaluate, recommend, unlearn, audit. The only place where the stages meet."""

from mmrecun.jobs.answering import evaluate, recommend
from mmrecun.jobs.auditing import audit
from mmrecun.jobs.forgetting import scope, unlearn
from mmrecun.jobs.opening import PathLike, load
from mmrecun.jobs.shadowing import shadow_seconds
from mmrecun.jobs.training import VALIDATION_CUTOFF, resume_file, split_settings, train, validation_score

__all__ = [
    "VALIDATION_CUTOFF",
    "PathLike",
    "audit",
    "evaluate",
    "load",
    "recommend",
    "resume_file",
    "scope",
    "shadow_seconds",
    "split_settings",
    "train",
    "unlearn",
    "validation_score",
]
