"""Run a bench on a cluster with every piece traced: `python -m tests.scale.driver SPEC OUT ADDRESS TRACE [PIECE ...]`.

The pieces named are held in the middle the first time they are made.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmrecun.bench.cache import Cache
from mmrecun.bench.groups import groups
from mmrecun.bench.run import BenchPaths, run
from mmrecun.bench.spec import load
from mmrecun.scale.executor import Executor, Made
from mmrecun.scale.piece import Piece
from mmrecun.scale.ray_engine import connected
from mmrecun.scale.ray_executor import RayExecutor


class Traced:
    """A executor whose pieces tell when they begin and end."""

    shared = True

    def __init__(self, executor: Executor, trace: Path, held: Sequence[str]) -> None:
        self.executor, self.trace, self.held = executor, trace, list(held)

    def make(self, pieces: Sequence[Piece], root: Path, progress) -> Iterator[Made]:
        found = {piece.name: piece for piece in pieces}
        for made in self.executor.make([self._traced(piece) for piece in pieces], root, progress):
            yield Made(found[made.piece.name], made.failure)

    def _traced(self, piece: Piece) -> Piece:
        given = {"make": piece.make, "given": piece.given, "trace": str(self.trace), "stop_in": self.held}
        return piece.model_copy(update={"make": "tests.scale.makers:traced", "given": given})


def main(spec: str, out: str, address: str, trace: str, *held: str) -> None:
    parsed, base = load(spec)
    place = Path(out)
    with connected(address) as engine:
        executor = Traced(RayExecutor(engine), Path(trace), held)
        run(groups(parsed, base), BenchPaths(place, Cache(place / "cache", "cpu")), executor=executor)


if __name__ == "__main__":
    main(*sys.argv[1:])
