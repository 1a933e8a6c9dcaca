"""Cache of datasets, Originals and Golds, by a digest of everything that affects them; writes are atomic."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrecun import jobs, runs
from mmrecun.bench.spec import Backbone
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest
from mmrecun.runs import Run
from mmrecun.training.loop import Progress, no_progress

GOLD_SEED = 1000


def digest_of(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of facts, in any order, as 16 hexadecimal digits."""
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def training_facts(backbone: Backbone) -> dict[str, Any]:
    """Return everything but data and seed that affects the weights of a training."""
    config, training = backbone.configs()
    versions = runs.versions()
    return {
        "model": backbone.model,
        "settings": config.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "versions": {name: versions[name] for name in ("mmrecun", "torch")},
    }


@dataclass(frozen=True)
class Cache:
    """A folder of datasets, Originals and Golds.

    Attributes:
        folder: may be shared by benches that run one after another.
        device: device to train on.
    """

    folder: Path
    device: str = "auto"

    def data(self, dataset: Dataset) -> Path:
        """Return the folder of `dataset`; write it if it is not there yet."""
        place = self.folder / "data" / dataset.digest[:16]
        if not place.is_dir():
            files.save(dataset, place)
        return place

    def original(self, dataset: Dataset, backbone: Backbone, seed: int, progress: Progress = no_progress) -> Run:
        """Return the model trained on `dataset`."""
        key = digest_of({**training_facts(backbone), "data": dataset.digest, "seed": seed})
        place = self.folder / "originals" / f"{backbone.model}-{seed}-{key}"
        if not place.is_dir():
            data = self.data(dataset)
            jobs.train(data, backbone.model, place, backbone.settings, seed, self.device, progress)
        return runs.load(place, self.device)

    def gold(
        self,
        original: Run,
        backbone: Backbone,
        request: ForgetRequest,
        retained: str,
        number: int,
        progress: Progress = no_progress,
    ) -> Path:
        """Return the folder of Gold `number` (from 0) for the retained data with digest `retained`."""
        seed = GOLD_SEED + number
        key = digest_of({**training_facts(backbone), "data": retained, "seed": seed})
        place = self.folder / "golds" / f"{backbone.model}-{seed}-{key}"
        if not place.is_dir():
            jobs.unlearn(original, request, place, "retrain", seed=seed, progress=progress)
        return place
