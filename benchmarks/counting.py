"""How much arithmetic a piece of work does in dense products and in hops over graphs, and how long they take."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.limits import Limits, measure

_DENSE = ("mm", "addmm", "bmm", "baddbmm")
_BAGS = ("_embedding_bag", "_embedding_bag_forward_only")


class Counting(TorchDispatchMode):
    """Counts and times every dense product, and every bag of weighted rows, inside its block.

    Attributes:
        flops: of dense products, by dtype.
        moved: bytes that bags read and write: a row and its index and weight for each entry, and the result.
        seconds: by "dense" and "hops".
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops: dict[torch.dtype, int] = defaultdict(int)
        self.moved = 0
        self.seconds = {"dense": 0.0, "hops": 0.0}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        name = func.overloadpacket.__name__
        if name not in _DENSE and name not in _BAGS:
            return func(*args, **(kwargs or {}))
        started = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        spent = time.perf_counter() - started
        if name in _DENSE:
            left, right = args[-2:] if name in ("mm", "bmm") else args[1:3]
            self.flops[left.dtype] += 2 * left.numel() * right.shape[-1]
            self.seconds["dense"] += spent
        else:
            table, indices, out = args[0], args[1], result[0]
            entry = table.shape[1] * table.element_size() + indices.element_size() + table.element_size()
            self.moved += indices.numel() * entry + out.numel() * out.element_size()
            self.seconds["hops"] += spent
        return result

    def shares(self, limits: Limits) -> dict[str, float | None]:
        """Time at the machine's limit over time taken: of the dense products, and of the hops (by memory traffic)."""
        half = self.flops[torch.bfloat16]
        best = 1e-9 * ((sum(self.flops.values()) - half) / limits.dense_fp32 + half / limits.dense_bf16)
        hops = 1e-9 * self.moved / limits.copy
        return {"dense": _share(best, self.seconds["dense"]), "hops": _share(hops, self.seconds["hops"])}


def shares(action: Callable[[], object], nodes: int, rounds: int) -> dict[str, float | None]:
    """Return the median `Counting.shares` over rounds, each held against limits that were measured just before."""
    found = [counted(action).shares(measure(nodes, rounds=1)) for _ in range(rounds)]
    return {
        name: None if found[0][name] is None else float(np.median([of[name] for of in found]))  # type: ignore[arg-type]
        for name in found[0]
    }


def counted(action: Callable[[], object]) -> Counting:
    """Return what `action` does, the second time it is called."""
    action()
    with Counting() as counting:
        action()
    return counting


def _share(best: float, taken: float) -> float | None:
    return best / taken if taken else None
