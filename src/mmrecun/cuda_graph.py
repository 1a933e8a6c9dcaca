"""Work that is launched again and again, as replays of a captured CUDA graph: one launch instead of hundreds."""

import gc
from collections.abc import Callable, Sequence

import torch


class CapturedCall:
    """A call without arguments that reads and writes the same memory each time: captured once, then replayed.

    The first call is made without capture, so that libraries can load what they need. The second one is captured; it
    and all others are replays. The work must not read anything back to the host, nor copy anything from it.

    Args:
        work: is called at most twice. It changes tensors in place, and keeps none that it makes.
        stream: a CUDA stream that all calls of this work and of its like share.
        generators: those that the work draws from.
    """

    def __init__(
        self, work: Callable[[], object], stream: torch.cuda.Stream, generators: Sequence[torch.Generator] = ()
    ) -> None:
        self._work, self._stream, self._generators = work, stream, generators
        self._called = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do the work once."""
        if not self._called:
            self._called = True
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                self._work()
            torch.cuda.current_stream().wait_stream(self._stream)
            return
        if self._graph is None:
            self._graph = self._captured()
        self._graph.replay()

    def _captured(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        collects = gc.isenabled()
        gc.disable()  # freeing a graph during a capture would spoil the capture
        torch.cuda.synchronize()
        try:
            with torch.cuda.stream(self._stream):
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    self._work()
                finally:
                    graph.capture_end()
        finally:
            if collects:
                gc.enable()
        return graph
