"""A stand-in for a CUDA card, where there is none: its tensors say that they are on the card; the CPU computes them.

It finds what only a card would find otherwise: an operation on tensors of both host and card, a generator of the wrong
device, an array that is not fetched first, and work in a captured graph that reads something back, or that depends on
memory which a replay does not fill. Times and rounding are those of the CPU.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CARD = torch.device("cuda", 0)
# what makes the host wait on a card, since the size of the result or a number depends on what was computed
_WAITS = (
    "_local_scalar_dense",
    "nonzero",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "masked_select",
    "equal",
    "repeat_interleave",
    "bincount",
)
_INDEXED = ("index", "index_put_", "index_put", "_index_put_impl_")  # a card takes indices of the host, and copies them
_FREE = ("empty", "empty_like", "empty_strided", "new_empty", "lift_fresh", "_unsafe_view", "_reshape_alias", "set_")
_SHARING = ("sparse_csr_tensor", "_sparse_compressed_tensor_unsafe", "_sparse_csr_tensor_unsafe", "lift_fresh")


class CardTensor(Tensor):
    """A tensor that says that it is on the card; `raw` holds its values, on the CPU."""

    raw: Tensor
    device, is_cuda, is_meta = CARD, True, False  # to torch's own core it is on no device, which no autograd waits for
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> "CardTensor":
        strided = raw.layout == torch.strided
        made = Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride() if strided else None,
            storage_offset=raw.storage_offset() if strided else None,
            dtype=raw.dtype,
            device="meta",
        )
        made.raw = raw
        return made

    @property
    def data(self) -> Tensor:
        """As of any tensor; `raw` follows what is set."""
        return self.detach()

    @data.setter
    def data(self, value: "CardTensor") -> None:
        self.raw = value.raw

    def __repr__(self) -> str:
        return f"CardTensor({self.raw!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on a tensor of the card, outside the block of the stand-in")


_HOST_GENERATOR = torch.Generator


class CardGenerator(_HOST_GENERATOR):
    """A generator for draws on the card; asked for one of the host, it is an ordinary one."""

    # by the address of what torch's core holds, which is all that an operation sees; held, so that none is used again
    known: ClassVar[dict[int, torch.Generator]] = {}

    def __new__(cls, device: Any = "cpu") -> torch.Generator:
        if torch.device(device).type != "cuda":
            return _HOST_GENERATOR(device)
        made = super().__new__(cls, "cpu")
        cls.known[made._cdata] = made
        return made


class StandIn(TorchDispatchMode):
    """Computes for the card within its block.

    Attributes:
        waits: how often the host waited, by operation.
        phase: names what is being done.
        launches: operations that the host asks the card for, by phase; a replay of a graph is one.
        graphs: captured graphs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.phase: Callable[[], str] = str
        self.launches: Counter[str] = Counter()
        self.graphs = 0
        self.tape: Tape | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = dict(kwargs or {})
        name, leaves = func.overloadpacket.__name__, tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        there = [leaf for leaf in tensors if isinstance(leaf, CardTensor)]
        to_card = torch.device(kwargs.get("device") or ("cuda" if there else "cpu")).type != "cpu"
        if not there and not to_card:
            return func(*args, **kwargs)
        if name in ("_to_copy", "copy_"):
            if to_card != bool(there) or len(there) < len(tensors):
                self._wait(func, "copies to the card" if to_card else "copies to the host")
        else:
            self._check(func, name, args, there, tensors)
        for leaf in leaves:
            if isinstance(leaf, _HOST_GENERATOR) and leaf._cdata not in CardGenerator.known:
                raise RuntimeError(f"{func}: a generator of the host draws on the card")
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        return self._computed(func, name, args, kwargs, there, to_card)

    def _check(self, func: Any, name: str, args: Any, there: list[CardTensor], tensors: list[Tensor]) -> None:
        if name in _WAITS or (name in _INDEXED and any(_is_mask(index) for index in args[1])):
            self._wait(func, name)
        strays = [each for each in tensors if each.dim() and not isinstance(each, CardTensor)]
        if not strays:
            return
        indices = [each for each in (args[1] if name in _INDEXED else []) if each is not None]
        if not isinstance(args[0], CardTensor) or any(all(each is not index for index in indices) for each in strays):
            raise RuntimeError(f"{func}: tensors of both host and card")
        self._wait(func, "indices of the host")

    def _wait(self, func: Any, why: str) -> None:
        if self.tape is not None:
            raise RuntimeError(f"{func} within a captured graph: {why}")
        self.waits[why] += 1

    def _computed(self, func: Any, name: str, args: Any, kwargs: Any, there: list[CardTensor], to_card: bool) -> Any:
        raw = {id(each.raw): each for each in there}
        if torch.Tag.inplace_view in func.tags:  # such as unsqueeze_, which changes the shape that the card's side has
            with no_dispatch():
                func(*args, **kwargs)
        args, kwargs = tree_map_only(CardTensor, lambda each: each.raw, (args, kwargs))
        if self.tape is not None:
            self.tape.before(func, args, kwargs)
        out = func(*args, **kwargs)
        if self.tape is not None:
            self.tape.after(func, name, args, kwargs, out)
        # without another device or dtype, a card's `to` returns what it was given
        same = name == "_to_copy" and bool(there) and to_card and isinstance(out, Tensor) and out.dtype == args[0].dtype
        if not func.is_view and name not in _FREE and not same:
            self.launches[self.phase()] += 1
        if name == "_to_copy" and out is args[0]:
            out = out.clone()
        wrap = CardTensor if to_card else lambda each: each
        return tree_map_only(Tensor, lambda each: raw[id(each)] if id(each) in raw else wrap(each), out)


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


class Tape:
    """The operations of a captured graph. While it is recorded nothing is changed that was there before."""

    def __init__(self, generators: list[torch.Generator]) -> None:
        self._steps: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._undo: list[tuple[Tensor, Tensor]] = []
        self._states = [(generator, generator.get_state()) for generator in generators]

    def before(self, func: Any, args: Any, kwargs: Any) -> None:
        """Keep what the operation will write over."""
        for number, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = kwargs.get(argument.name, args[number] if number < len(args) else None)
                self._undo += [(each.detach(), each.clone()) for each in tree_leaves(given) if isinstance(each, Tensor)]

    def after(self, func: Any, name: str, args: Any, kwargs: Any, out: Any) -> None:
        """Record the operation; views and what shares memory are there already when it is replayed."""
        if func.is_view or name in _SHARING or torch.Tag.inplace_view in func.tags:
            return
        given = {id(leaf) for leaf in tree_leaves((args, kwargs))}
        made = [each for each in tree_leaves(out) if isinstance(each, Tensor) and id(each) not in given]
        # by names of their own, since some operations change the shape of a tensor
        self._steps.append((func, *tree_map_only(Tensor, Tensor.detach, (args, kwargs, made))))

    def stop(self) -> None:
        """Put everything back to where it was: a capture launches nothing."""
        for place, before in reversed(self._undo):
            place.copy_(before)
        for generator, state in self._states:
            generator.set_state(state)
        for *_, made in self._steps:
            for place in made:
                if place.is_floating_point() and place.layout == torch.strided:
                    place.fill_(torch.nan)  # what a replay does not fill is found out
        self._undo.clear()

    def replay(self) -> None:
        """Compute everything again, in the same memory."""
        for func, args, kwargs, made in self._steps:
            given = {id(leaf) for leaf in tree_leaves((args, kwargs))}
            out = [each for each in tree_leaves(func(*args, **kwargs)) if isinstance(each, Tensor)]
            for place, value in zip(made, [each for each in out if id(each) not in given], strict=True):
                place.copy_(value)


class _Stream:
    def __init__(self, device: Any = None) -> None:
        del device

    def wait_stream(self, other: Any) -> None:
        """Everything is in order already."""


def _graph_of(mode: StandIn) -> type:
    class Graph:
        """A captured graph of the stand-in."""

        def __init__(self) -> None:
            self._generators: list[torch.Generator] = []
            self._tape: Tape | None = None

        def register_generator_state(self, generator: torch.Generator) -> None:
            self._generators.append(generator)

        def capture_begin(self, capture_error_mode: str) -> None:
            del capture_error_mode
            self._tape = mode.tape = Tape(self._generators)

        def capture_end(self) -> None:
            mode.tape = None
            assert self._tape is not None
            self._tape.stop()
            mode.graphs += 1

        def replay(self) -> None:
            assert self._tape is not None
            mode.launches[mode.phase()] += 1
            with torch.utils._python_dispatch._disable_current_modes():
                self._tape.replay()

    return Graph


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Let `CARD` be used within the block."""
    mode = StandIn()
    places: dict[str, Callable[..., Any] | type] = {
        "Stream": _Stream,
        "current_stream": _Stream,
        "stream": nullcontext,
        "synchronize": lambda: None,
        "CUDAGraph": _graph_of(mode),
        "_lazy_init": lambda: None,
    }
    with ExitStack() as stack:
        for name, value in places.items():
            stack.enter_context(patch.object(torch.cuda, name, value))
        stack.enter_context(patch.object(torch, "Generator", CardGenerator))
        stack.enter_context(mode)
        torch._C._set_only_lift_cpu_tensors(True)
        try:
            yield mode
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
