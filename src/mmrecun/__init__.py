"""Take users, items, interactions and modalities back out of a trained multi-modal recommender, with evidence."""

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

        # all at once: loading the jobs has made `audit` name the subpackage of that name
        globals().update({public: getattr(jobs, public) for public in __all__ if public != "ForgetRequest"})
        return globals()[name]
    raise AttributeError(f"module 'mmrecun' has no attribute '{name}'")
