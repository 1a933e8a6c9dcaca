"""Times that can be compared on a machine that others use too: interleaved rounds and their quartiles; peak memory."""

import gc
import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch


class Spread(NamedTuple):
    """The median and the quartiles of repeated measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of any number of values, at least one."""
        low, median, high = np.quantile(list(values), (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))

    def scaled(self, factor: float) -> "Spread":
        """In another unit."""
        return Spread(*(value * factor for value in self))

    def __str__(self) -> str:
        """Median (low-high), three digits each."""
        return f"{digits(self.median)} ({digits(self.low)}-{digits(self.high)})"


def digits(value: float) -> str:
    """Three digits that count.

    >>> digits(0.012345), digits(12.345), digits(12345.6)
    ('0.0123', '12.3', '12346')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interleaved(actions: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each action in each round: all take turns, so that a busy neighbour disturbs all alike.

    The first of a round changes from round to round; `warm` rounds before are not counted.
    """
    names, seconds = list(actions), {name: [] for name in actions}
    gc.collect()
    for number in range(-warm, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            spent = seconds_of(actions[name])
            if number >= 0:
                seconds[name].append(spent)
    return seconds


def seconds_of(action: Callable[[], object]) -> float:
    """Seconds of one call, during which no garbage of others is collected."""
    gc.disable()
    try:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started
    finally:
        gc.enable()


def on_device(action: Callable[[], object], rounds: int, calls: int = 10) -> list[float]:
    """Seconds of one call on the current CUDA device, in each round, by the device's own clock; nothing waits.

    Without such a device by the host's clock, which serves to check a script.
    """
    action()
    found = []
    if not torch.cuda.is_available():
        return [_by_host(action, calls) for _ in range(rounds)]
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(calls):
            action()
        end.record()
        torch.cuda.synchronize()
        found.append(1e-3 * begin.elapsed_time(end) / calls)
    return found


def _by_host(action: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        action()
    return (time.perf_counter() - started) / calls


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """Of the quotients within the rounds."""
    return Spread.of(above / below for above, below in zip(numerator, denominator, strict=True))


def in_child(function: Callable[..., Any], *arguments: object) -> tuple[Any, int]:
    """Return the result of `function` in a process of its own, and the most bytes that were resident there.

    Raises:
        RuntimeError: when the process died, such as for want of memory.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(there, function, arguments))
    child.start()
    there.close()
    try:
        result, peak = here.recv()
    except EOFError:
        child.join()
        raise RuntimeError(f"{function.__name__} ended with exit code {child.exitcode}; see its error above") from None
    child.join()
    return result, peak


def _answer(there: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    result = function(*arguments)
    there.send((result, peak_bytes()))


def peak_bytes() -> int:
    """Return the most bytes that were ever resident in this process.

    On Linux `getrusage` begins with what the parent held when it made this process; the status file does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE)
        return int(peak) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
