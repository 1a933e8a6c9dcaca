"""Where an unlearning spends its time: seconds, kernel launches and crossings between host and device by phase.

On a card the device is waited for wherever one phase gives way to another, so that its work counts where it was asked
for. Launches and crossings are counted operation by operation and need no card: on a CPU every operation of torch that
computes something stands for a launch.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.card import synchronize
from mmrecun import runs
from mmrecun.data import files
from mmrecun.forget.partition import Partition
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.conjugate import CapturedSolver
from mmrecun.unlearning.mmrecun import level, links, method, restoring
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.curvature import LossCurvature
from mmrecun.unlearning.mmrecun.expected_loss import ExpectedLoss
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.trained_balance import TrainedBalance
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard

Places = Mapping[str, Sequence[tuple[Any, str]]]
REST = "rest"
CG, CURVATURE = "conjugate gradients", "curvature times a change"
PHASES: Places = {  # what is called within another phase counts for itself
    "load": [(runs, "load")],
    "request": [(Partition, "from_request")],
    "graphs": [(Task, "inputs")],
    "copy of the model": [(restoring, "retained_model")],
    "draws": [(BeforeAndAfter, "of")],
    "balance as trained": [(TrainedBalance, "of")],
    "lean of rests": [(restoring, "lost_leans")],
    "balance as retained": [(restoring, "retained_balances")],
    "gradient": [(ExpectedLoss, "at")],
    CG: [(restoring, "solve"), (CapturedSolver, "solve")],
    CURVATURE: [(LossCurvature, "product")],
    "Gauss-Newton steps, the rest": [(BalanceSolver, "newton_step"), (BalanceSolver, "take_out_lean")],
    "other noise": [(restoring, "negative_noise")],
    "SVD reference": [(level, "spectral_vectors")],
    "level": [(method, "ForgettingLevel"), (method, "fit_lean"), (method, "fit_step_scale")],
    "settling": [(method, "train_on_retained")],
    "matching of rows": [(method, "match_rows")],
    "validation": [(ValidationGuard, "score")],
    "save": [(files, "write_into"), (runs, "write")],
}
# made only where forgotten pairs can be compared with validation pairs, for a model without a graph, and with one
_SOMETIMES = ("SVD reference", "other noise", "lean of rests")
_FREE = ("empty", "empty_like", "empty_strided", "new_empty", "lift_fresh", "_unsafe_view", "_reshape_alias", "set_")
_TO_DEVICE = ("to", "cuda")


class Phases:
    """Attributes what happens in its block to the innermost phase that was entered last.

    Attributes:
        seconds, calls, launches, crossings: by phase.
    """

    def __init__(self, places: Places) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self.crossings: Counter[str] = Counter()
        self._places, self._stack, self._since = places, [REST], 0.0

    @property
    def now(self) -> str:
        """The phase that is being run."""
        return self._stack[-1]

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Divide the time of the block.

        Raises:
            RuntimeError: when a phase that every request has is never reached, since it would seem to cost nothing.
        """
        with ExitStack() as patches:
            for phase, places in self._places.items():
                for owner, name in places:
                    patches.enter_context(patch.object(owner, name, self._entered(phase, owner, name)))
            self._since = time.perf_counter()
            yield
            self._switch()
        missed = [phase for phase in self._places if not self.calls[phase] and phase not in _SOMETIMES]
        if missed:
            raise RuntimeError(f"never reached: {', '.join(missed)}; name in benchmarks/phases.py what took its place")

    def _entered(self, phase: str, owner: Any, name: str) -> Any:
        held = vars(owner)[name]
        kind = type(held) if isinstance(held, classmethod | staticmethod) else None
        function = held.__func__ if kind else held

        @wraps(function, updated=())
        def within(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._stack.append(phase)
            self.calls[phase] += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._stack.pop()

        return kind(within) if kind else within

    def _switch(self) -> None:
        synchronize()
        now = time.perf_counter()
        self.seconds[self.now] += now - self._since
        self._since = now


class _Launches(TorchDispatchMode):
    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self._phases = phases

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        name = func.overloadpacket.__name__
        if name == "_local_scalar_dense":
            self._phases.crossings[self._phases.now] += 1
        elif not func.is_view and name not in _FREE:
            self._phases.launches[self._phases.now] += 1
        return func(*args, **(kwargs or {}))


class _Crossings(TorchFunctionMode):
    """Counts what moves a tensor between host and device, or would if the device were not the host."""

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self._phases = phases

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        name, given = getattr(func, "__name__", ""), (*args[1:], *(kwargs or {}).values())
        moved = name in _TO_DEVICE and any(isinstance(value, torch.device | torch.Tensor) for value in given)
        if moved or name in ("cpu", "tolist"):  # `item` and the like are counted as operations
            self._phases.crossings[self._phases.now] += 1
        return func(*args, **(kwargs or {}))


def timed(action: Callable[[], object], places: Places = PHASES) -> Phases:
    """Return the seconds of each phase of one unlearning."""
    phases = Phases(places)
    with phases.measured():
        action()
    return phases


def counted(action: Callable[[], object], places: Places = PHASES) -> Phases:
    """Return the launches and crossings of each phase of one unlearning, with blocks as long as on a card."""
    phases = Phases(places)
    with (
        patch.object(links, "_BLOCK", links._BLOCK_ON_DEVICE),
        _Launches(phases),
        _Crossings(phases),
        phases.measured(),
    ):
        action()
    return phases


def phase_rows(action: Callable[[], object], gold: float) -> list[dict[str, Any]]:
    """Return a row for each phase of one unlearning: its seconds, also as a share of Gold's, and what it launches."""
    times, counts = timed(action), counted(action)
    return [
        {
            "phase": phase,
            "calls": times.calls[phase],
            "seconds": times.seconds[phase],
            "of_gold": times.seconds[phase] / gold,
            "launches": counts.launches[phase],
            "crossings": counts.crossings[phase],
        }
        for phase in (*PHASES, REST)
    ]
