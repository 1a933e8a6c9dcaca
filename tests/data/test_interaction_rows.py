"""Interactions are written a piece at a time, and the file is that of the whole table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data import interaction_rows
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("timed", [True, False])
def test_pieces_make_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int, timed: bool):
    rng = np.random.default_rng(0)
    keys = np.sort(rng.choice(20 * 30, 100, replace=False))
    times = pl.DataFrame({"timestamp": rng.random(100)}) if timed else pl.DataFrame()
    pairs = Interactions(keys // 30, keys % 30, rng.integers(0, 3, 100).astype(np.int8), times)
    users, items = IdMap.of("user", [f"u{n}" for n in range(20)]), IdMap.of("item", [f"i{n}" for n in range(30)])
    monkeypatch.setattr(interaction_rows, "_ROWS", 100 // pieces)
    made = interaction_rows.interaction_rows(users, items, pairs)
    made.sink_parquet(tmp_path / "made.parquet")
    names = ("train", "valid", "test")
    expected = [
        (f"u{user}", f"i{item}", names[split], *more)
        for user, item, split, *more in zip(
            pairs.users, pairs.items, pairs.splits, *([times["timestamp"]] if timed else []), strict=True
        )
    ]
    assert pl.read_parquet(tmp_path / "made.parquet").rows() == expected
    assert made.collect_schema().names() == ["user", "item", "split", *times.columns]


def test_a_large_table_has_the_bytes_that_polars_writes_of_it_whole(tmp_path: Path):
    keys = np.arange(170_000)
    pairs = Interactions(keys // 2000, keys % 2000, np.zeros(len(keys), dtype=np.int8), pl.DataFrame({"t": keys}))
    users, items = (IdMap.of(kind, map(str, range(2000))) for kind in ("user", "item"))
    interaction_rows.interaction_rows(users, items, pairs).sink_parquet(tmp_path / "pieces.parquet")
    whole = pl.DataFrame({"user": users.names.gather(pairs.users), "item": items.names.gather(pairs.items)})
    whole.with_columns(split=pl.lit("train"), t=keys).write_parquet(tmp_path / "whole.parquet")
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
