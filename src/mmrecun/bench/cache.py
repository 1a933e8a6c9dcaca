"""Cache of datasets, Originals and Golds, by a digest of everything that affects them; writes are atomic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrecun.bench.spec import GOLD_SEED, Backbone
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.manifest import versions
from mmrecun.scale.piece import digest_of


def training_facts(backbone: Backbone) -> dict[str, Any]:
    """Return everything but data and seed that affects the weights of a training."""
    config, training = backbone.configs()
    known = versions()
    return {
        "model": backbone.model,
        "settings": config.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "versions": {name: known[name] for name in ("mmrecun", "torch")},
    }


def data_name(digest: str) -> str:
    """Return the folder in a cache of the dataset with this digest."""
    return f"data/{digest[:16]}"


def original_name(backbone: Backbone, data: str, seed: int) -> str:
    """Return the folder in a cache of the model trained on the dataset with digest `data`."""
    key = digest_of({**training_facts(backbone), "data": data, "seed": seed})
    return f"originals/{backbone.model}-{seed}-{key}"


def gold_name(backbone: Backbone, retained: str, number: int) -> str:
    """Return the folder in a cache of Gold `number` (from 0) for the retained data with digest `retained`."""
    seed = GOLD_SEED + number
    key = digest_of({**training_facts(backbone), "data": retained, "seed": seed})
    return f"golds/{backbone.model}-{seed}-{key}"


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
        place = self.folder / data_name(dataset.digest)
        if not place.is_dir():
            files.save(dataset, place)
        return place
