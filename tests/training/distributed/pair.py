"""Processes of this machine that train together, joined by gloo."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig

ROOT = Path(__file__).parents[3]
TRAINING, SEED = TrainConfig(epochs=5, batch_size=400), Seed(5)
SETTINGS = {
    "bprmf": {"dim": 16},
    "vbpr": {"dim": 16},
    "lightgcn": {"dim": 16},
    "mgcn": {"dim": 16, "negatives_per_block": 64},
}


class Pair:
    """Two processes that train; the second stops after `stop_after` epochs until it is killed."""

    def __init__(self, model: str, folder: Path, out: Path, stop_after: int = 0, of: int = 2) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.out, self.of = out, of
        words = [
            sys.executable,
            "-m",
            "tests.training.distributed.process_of_pair",
            model,
            folder,
            out,
            str(stop_after),
        ]
        together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(of), "OMP_NUM_THREADS": "1"}
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        self.processes = [
            subprocess.Popen(
                [*map(str, words)],
                env={**os.environ, **together, "RANK": str(rank), "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            for rank in range(of)
        ]

    def end(self) -> list[dict]:
        for process in self.processes:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
        return [json.loads((self.out / f"{rank}.json").read_text()) for rank in range(self.of)]

    def rows(self, name: str) -> np.ndarray:
        parts = [np.load(self.out / f"best-{rank}" / f"{name}.npy") for rank in range(self.of)]
        whole = np.empty((sum(map(len, parts)), parts[0].shape[1]), dtype=np.float32)
        for rank, part in enumerate(parts):
            whole[rank :: self.of] = part
        return whole
