"""The use cases: plan, train, evaluate, recommend, unlearn, audit and others.

Each is imported at its first use, so that commands without plots do not load matplotlib.
"""

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from mmrecun.errors import naming_arguments

if TYPE_CHECKING:
    from mmrecun.jobs._absent import (
        Absent,
        absent_of,
        absent_of_mapped,
        absent_table,
        present_part,
        present_part_mapped,
    )
    from mmrecun.jobs._audit import audit, is_other_key, shadow_seconds
    from mmrecun.jobs._audit_mapped import MappedAudit, audit_mapped
    from mmrecun.jobs._demo import run_demo
    from mmrecun.jobs._diff import diff
    from mmrecun.jobs._diff_mapped import diff_mapped
    from mmrecun.jobs._doctor import checks
    from mmrecun.jobs._encode import encode, partial_folder
    from mmrecun.jobs._evaluate import evaluate, recommend
    from mmrecun.jobs._export import export, exports
    from mmrecun.jobs._export_mapped import export_mapped, exports_mapped
    from mmrecun.jobs._foreign import not_reached, open_run
    from mmrecun.jobs._mapped import check_mapped, evaluate_mapped, fold_mapped, recommend_mapped
    from mmrecun.jobs._parts import split_mapped, unlearn_parts
    from mmrecun.jobs._plan import plan, refuse_impossible
    from mmrecun.jobs._registered import list_methods, list_models, method_settings, model_settings
    from mmrecun.jobs._shared_training import Workers, training_folder
    from mmrecun.jobs._train import resume_file, train
    from mmrecun.jobs._train_mapped import train_mapped
    from mmrecun.jobs._train_parts import train_parts
    from mmrecun.jobs._unlearn import scope, unlearn, warnings
    from mmrecun.jobs._unlearn_mapped import apply_delta, scope_mapped, unlearn_mapped, warnings_mapped
    from mmrecun.jobs._unlearn_seeds import unlearn_seeds

__all__ = [
    "Absent",
    "MappedAudit",
    "Workers",
    "absent_of",
    "absent_of_mapped",
    "absent_table",
    "apply_delta",
    "audit",
    "audit_mapped",
    "check_mapped",
    "checks",
    "diff",
    "diff_mapped",
    "encode",
    "evaluate",
    "evaluate_mapped",
    "export",
    "export_mapped",
    "exports",
    "exports_mapped",
    "fold_mapped",
    "is_other_key",
    "list_methods",
    "list_models",
    "method_settings",
    "model_settings",
    "not_reached",
    "open_run",
    "partial_folder",
    "plan",
    "present_part",
    "present_part_mapped",
    "recommend",
    "recommend_mapped",
    "refuse_impossible",
    "resume_file",
    "run_demo",
    "scope",
    "scope_mapped",
    "shadow_seconds",
    "split_mapped",
    "train",
    "train_mapped",
    "train_parts",
    "training_folder",
    "unlearn",
    "unlearn_mapped",
    "unlearn_parts",
    "unlearn_seeds",
    "warnings",
    "warnings_mapped",
]

_HOMES = {
    "_absent": (
        "Absent",
        "absent_of",
        "absent_of_mapped",
        "absent_table",
        "present_part",
        "present_part_mapped",
    ),
    "_audit": ("audit", "is_other_key", "shadow_seconds"),
    "_audit_mapped": ("MappedAudit", "audit_mapped"),
    "_demo": ("run_demo",),
    "_doctor": ("checks",),
    "_diff": ("diff",),
    "_diff_mapped": ("diff_mapped",),
    "_encode": ("encode", "partial_folder"),
    "_evaluate": ("evaluate", "recommend"),
    "_export": ("export", "exports"),
    "_export_mapped": ("export_mapped", "exports_mapped"),
    "_foreign": ("not_reached", "open_run"),
    "_mapped": ("check_mapped", "evaluate_mapped", "fold_mapped", "recommend_mapped"),
    "_parts": ("split_mapped", "unlearn_parts"),
    "_plan": ("plan", "refuse_impossible"),
    "_registered": ("list_methods", "list_models", "method_settings", "model_settings"),
    "_shared_training": ("Workers", "training_folder"),
    "_train": ("resume_file", "train"),
    "_train_mapped": ("train_mapped",),
    "_train_parts": ("train_parts",),
    "_unlearn": ("scope", "unlearn", "warnings"),
    "_unlearn_mapped": ("apply_delta", "scope_mapped", "unlearn_mapped", "warnings_mapped"),
    "_unlearn_seeds": ("unlearn_seeds",),
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import a use case when it is first used."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    named = naming_arguments(found) if isinstance(found, FunctionType) else found
    return globals().setdefault(name, named)
