"""Take users, items, interactions and modalities back out of a trained multi-modal recommender, with evidence."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["ForgetRequest", "audit", "evaluate", "load", "train", "unlearn"]

if TYPE_CHECKING:
    from mmrecun.data.forget import ForgetRequest
    from mmrecun.jobs import audit, evaluate, load, train, unlearn


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that importing the package loads no torch."""
    if name == "ForgetRequest":
        from mmrecun.data.forget import ForgetRequest

        return ForgetRequest
    if name in __all__:
        from mmrecun import jobs

        return getattr(jobs, name)
    raise AttributeError(f"module 'mmrecun' has no attribute '{name}'")


class _Package(ModuleType):
    """Importing the subpackage `mmrecun.audit` would bind it here, over the function of that name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "audit" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
