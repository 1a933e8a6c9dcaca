"""Weighted sums of rows on a CUDA device in one Triton kernel: a hop over a graph, limited by memory bandwidth alone.

Each row of the matrix is one small program. Rows with many entries are cut into pieces, whose sums a second launch adds
up, so that the most popular item does not delay the rest. No addition is atomic, so the same input gives the same bits.
After the first call with a matrix nothing is read back to the host, so a CUDA graph can capture it.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_LONG = 256  # entries of a piece
_AT_ONCE = 16  # rows that a program loads at once


class _Pieces(NamedTuple):
    """Partition of the long rows of a matrix into pieces.

    Attributes:
        starts, stops: int64 [P], the entries of each piece.
        rows: int64 [L], the long rows.
        first, last: int64 [L], the pieces of each long row.
        places, ones: int32 and float32 [P], columns and values of a matrix that adds up the pieces.
    """

    starts: Tensor
    stops: Tensor
    rows: Tensor
    first: Tensor
    last: Tensor
    places: Tensor
    ones: Tensor


_known = WeakIdKeyDictionary()  # matrix -> its pieces


def weighted_sum(
    matrix: Tensor,
    dense: Tensor,
    base: Tensor | None = None,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float32,
    wanted: Tensor | None = None,
    filled: Tensor | None = None,
    based: Tensor | None = None,
) -> Tensor:
    """Compute scale * (matrix @ dense + base), summed in float32; outside autograd.

    Args:
        matrix: CSR float32 [R, C]; pass the same tensor at each call, since its long rows are found once.
        dense: float32 or bfloat16 [C, D].
        base: float32 [R, D]; none by default.
        scale: factor on the result.
        dtype: dtype of the result.
        wanted: bool [R], the rows to compute; the others are uninitialised memory. All by default.
        filled: bool [C], the rows of `dense` that are not zero; the others are not read. All by default.
        based: bool [R], the rows of `base` that are not zero; the others are not read. All by default.
    """
    starts, dense = matrix.crow_indices(), dense.contiguous()
    width = dense.shape[1]
    out = torch.empty(len(matrix), width, dtype=dtype, device=dense.device)
    entries = matrix.col_indices(), matrix.values()
    base = None if base is None else base.contiguous()
    into = _Sums(out, base, scale, wanted, based)
    into.launch(len(matrix), starts, starts[1:], None, *entries, dense, most=_LONG, filled=filled)
    pieces = _pieces(matrix)
    if len(pieces.rows):
        parts = torch.empty(len(pieces.starts), width, device=dense.device)
        _Sums(parts, None, 1.0, None, None).launch(
            len(parts), pieces.starts, pieces.stops, None, *entries, dense, filled=filled
        )
        into.launch(len(pieces.rows), pieces.first, pieces.last, pieces.rows, pieces.places, pieces.ones, parts)
    return out


def add_up(rows: Tensor, values: Tensor, size: int) -> Tensor:
    """Sum the `values` [B, D] of each of `size` rows: float32 [size, D]; `rows` is int64 [B]. The order is fixed."""
    ascending, order = rows.sort(stable=True)
    values = values.contiguous()
    out = torch.zeros(size, values.shape[1], device=values.device)
    padded = triton.next_power_of_2(values.shape[1])
    _add_runs[(len(rows),)](
        ascending,
        order,
        values,
        out,
        len(rows),
        values.shape[1],
        AT_ONCE=_AT_ONCE,
        WIDTH=padded,
        num_warps=_warps(padded),
    )
    return out


class _Sums(NamedTuple):
    """Destination of the sums: `scale` * (sum + `base`, where `based`) goes into the `wanted` rows of `out`."""

    out: Tensor
    base: Tensor | None
    scale: float
    wanted: Tensor | None
    based: Tensor | None

    def launch(
        self,
        count: int,
        starts: Tensor,
        stops: Tensor,
        targets: Tensor | None,
        columns: Tensor,
        values: Tensor,
        dense: Tensor,
        most: int = 0,
        filled: Tensor | None = None,
    ) -> None:
        """Launch one program for each of `count` rows.

        Args:
            count, starts, stops: number of rows, and where the entries of each start and stop.
            targets: the row of `out` for each, if it is not the row itself.
            columns, values: columns and values of the entries.
            dense: the array whose rows are added.
            most: rows with more entries than this are left out; 0 for no limit.
            filled: rows of `dense` that are not zero.
        """
        width = dense.shape[1]
        padded = triton.next_power_of_2(width)
        _sum_rows[(count,)](
            starts,
            stops,
            targets if targets is not None else starts,
            columns,
            values,
            dense,
            self.base if self.base is not None else self.out,
            self.wanted if self.wanted is not None else starts,
            filled if filled is not None else starts,
            self.based if self.based is not None else starts,
            self.out,
            width,
            self.scale,
            most,
            TARGETS=targets is not None,
            BASE=self.base is not None,
            WANTED=self.wanted is not None,
            FILLED=filled is not None,
            BASED=self.based is not None,
            AT_ONCE=_AT_ONCE,
            WIDTH=padded,
            num_warps=_warps(padded),
        )


def _warps(width: int) -> int:
    return max(1, min(8, width // 64))


@triton.jit
def _sum_rows(
    starts,
    stops,
    targets,
    columns,
    values,
    dense,
    base,
    wanted,
    filled,
    based,
    out,
    width,
    scale,
    most,
    TARGETS: tl.constexpr,
    BASE: tl.constexpr,
    WANTED: tl.constexpr,
    FILLED: tl.constexpr,
    BASED: tl.constexpr,
    AT_ONCE: tl.constexpr,
    WIDTH: tl.constexpr,
):
    program = tl.program_id(0).to(tl.int64)
    start, stop = tl.load(starts + program), tl.load(stops + program)
    target = program
    if TARGETS:
        target = tl.load(targets + program)
    here = (most == 0) | (stop - start <= most)
    if WANTED:
        here = here & tl.load(wanted + target)
    if here:
        across, down = tl.arange(0, WIDTH), tl.arange(0, AT_ONCE)
        inside = across < width
        total = tl.zeros([WIDTH], dtype=tl.float32)
        for at in range(start, stop, AT_ONCE):
            there = at + down < stop
            column = tl.load(columns + at + down, mask=there, other=0).to(tl.int64)
            if FILLED:
                there = there & tl.load(filled + column, mask=there, other=False)
            weight = tl.load(values + at + down, mask=there, other=0.0)
            cells = dense + column[:, None] * width + across[None, :]
            rows = tl.load(cells, mask=there[:, None] & inside[None, :], other=0.0)
            total += tl.sum(rows.to(tl.float32) * weight[:, None], axis=0)
        if BASE:
            there = inside
            if BASED:
                there = inside & tl.load(based + target)
            total += tl.load(base + target * width + across, mask=there, other=0.0)
        tl.store(out + target * width + across, (total * scale).to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["count"])
def _add_runs(
    ascending,
    order,
    values,
    out,
    count,
    width,
    AT_ONCE: tl.constexpr,
    WIDTH: tl.constexpr,
):
    program = tl.program_id(0)
    row = tl.load(ascending + program)
    before = tl.load(ascending + program - 1, mask=program > 0, other=-1)
    if before != row:  # the first entry of a run of equal rows adds up the run
        across, down = tl.arange(0, WIDTH), tl.arange(0, AT_ONCE)
        inside = across < width
        total = tl.zeros([WIDTH], dtype=tl.float32)
        at = program
        more = True
        while more:
            same = tl.load(ascending + at + down, mask=at + down < count, other=-1) == row
            place = tl.load(order + at + down, mask=same, other=0)
            cells = values + place[:, None] * width + across[None, :]
            total += tl.sum(tl.load(cells, mask=same[:, None] & inside[None, :], other=0.0).to(tl.float32), axis=0)
            at += AT_ONCE
            more = tl.sum(same.to(tl.int32), axis=0) == AT_ONCE
        tl.store(out + row * width + across, total, mask=inside)


def _pieces(matrix: Tensor) -> _Pieces:
    if matrix not in _known:
        _known[matrix] = _cut(matrix.crow_indices())
    found: _Pieces = _known[matrix]
    return found


def _cut(starts: Tensor) -> _Pieces:
    starts = starts.long()
    counts = starts.diff()
    rows = (counts > _LONG).nonzero()[:, 0]
    each = (counts[rows] + _LONG - 1) // _LONG
    last = each.cumsum(0)
    first = last - each
    owner = torch.repeat_interleave(torch.arange(len(rows), device=starts.device), each)
    begin = starts[rows][owner] + (torch.arange(len(owner), device=starts.device) - first[owner]) * _LONG
    end = torch.minimum(begin + _LONG, starts[rows + 1][owner])
    places = torch.arange(len(owner), device=starts.device, dtype=torch.int32)
    return _Pieces(begin, end, rows, first, last, places, torch.ones(len(owner), device=starts.device))
