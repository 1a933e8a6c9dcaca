"""Real data, where it lies at hand: written as other tools lay it out, and read as the same pairs again."""

import os
from pathlib import Path

import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Split

DATA = Path(os.environ.get("MMRECUN_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def pairs_of(data: Dataset, split: Split) -> set[tuple[str, str]]:
    part = data.interactions.split(split)
    return set(zip(data.users.names.gather(part.users), data.items.names.gather(part.items), strict=True))


@pytest.fixture(scope="module")
def baby() -> Dataset:
    path = DATA / "baby" / "baby.inter"
    if not path.is_file():
        pytest.skip(f"{path} is not there; set MMRECUN_DATA")
    return read(path, ImportOptions()).dataset


def test_a_published_split_as_lists_of_items(baby: Dataset, tmp_path: Path):
    for split in Split:
        lines: dict[str, list[str]] = {}
        for user, item in pairs_of(baby, split):
            lines.setdefault(user, []).append(item)
        text = "".join(f"{user} {' '.join(items)}\n" for user, items in lines.items())
        (tmp_path / f"{split.name.lower()}.txt").write_text(text)
    found = read(tmp_path, ImportOptions())
    assert found.report.rows == len(baby.interactions)
    assert not found.report.left_out
    for split in Split:
        assert pairs_of(found.dataset, split) == pairs_of(baby, split)


def test_ratings_as_tuples_of_cornac(tmp_path: Path):
    folder = DATA / "ml-100k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set MMRECUN_DATA")
    text = (folder / "ml-100k.inter").read_text().partition("\n")[2]
    (tmp_path / "ratings.txt").write_text(text)
    options = ImportOptions(min_weight=4, split="leave-k-out")
    found = read(tmp_path / "ratings.txt", options, Format.UIRT)
    ratings = [float(line.split("\t")[2]) for line in text.splitlines()]
    assert found.report.rows == len(ratings) == 100_000
    assert found.report.left_out == {"'rating' below 4": sum(rating < 4 for rating in ratings)}
    held = found.dataset.interactions.attributes["weight"]
    assert len(held) == sum(rating >= 4 for rating in ratings)
