"""Devices of tensors, numbers of threads, and allocation of memory."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import torch

from mmrecun.errors import ConfigError
from mmrecun.forks import refuse_forked

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3), numbered as in glibc's malloc.h
_KEEP_BYTES = 1 << 30  # smaller buffers stay with the process when they are freed


def resolve(name: str) -> torch.device:
    """Return the torch device for `auto` (CUDA if available), `cpu`, `cuda` or `cuda:N`.

    Raises:
        ConfigError: for an unknown name, or CUDA where there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"unknown device '{name}'; choose auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device '{name}': no CUDA device was found; choose auto or cpu")
    return device


@cache
def prepare() -> None:
    """Set up memory allocation for large short-lived buffers, once in a process.

    glibc maps and unmaps every large allocation afresh, so each training step pays a page fault per
    4 KiB of its buffers. Raising two thresholds of `mallopt(3)` lets freed buffers be used again.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


@contextmanager
def prepared() -> Iterator[None]:
    """Prepare memory, and compute as in a new process, within the block or in each call of a function it decorates.

    The program around it may have set another default type or device, disabled gradients or chosen automatic mixed
    precision; all of it is as before afterwards. The default type is one for all threads.

    Raises:
        ConfigError: in a forked process, see `refuse_forked`.
    """
    refuse_forked()
    prepare()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.device("cpu") if torch.get_default_device().type != "cpu" else nullcontext(),  # it slows every call
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            yield
    finally:
        torch.set_default_dtype(before)


def thread_facts() -> dict[str, int]:
    """Return the number of processors this process may use and of torch threads."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"processors": usable, "torch_threads": torch.get_num_threads()}
