"""The examples of `docs/your-model.md`, run as they stand on models made here."""

import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "your-model.md"


@pytest.fixture
def models(tmp_path, monkeypatch, dataset, ranked):
    """A folder with everything that the page names; ids are u0, u1, ... and i0, i1, ..."""
    monkeypatch.chdir(tmp_path)
    pairs = dataset.train
    users, items = ([f"{kind}{row}" for row in rows] for kind, rows in (("u", pairs.users), ("i", pairs.items)))
    pl.DataFrame({"user": users, "item": items}).write_csv("pairs.csv")
    first, second = (pl.Series(names).unique(maintain_order=True).to_list() for names in (users, items))
    order = [int(name[1:]) for name in first], [int(name[1:]) for name in second]
    rows = ranked[0][order[0]], ranked[1][order[1]]
    np.savez("als.npz", user_factors=rows[0], item_factors=rows[1], regularization=0.5, alpha=1.0)
    for kind, names in (("users", first), ("items", second)):
        (tmp_path / f"{kind}.txt").write_text("\n".join(names))
    np.save("users.npy", rows[0])
    np.save("items.npy", rows[1])
    tables = [torch.cat([torch.zeros(1, table.shape[1]), torch.from_numpy(table)]) for table in rows]
    state = OrderedDict(zip(("user_embedding.weight", "item_embedding.weight"), tables, strict=True))
    torch.save({"state_dict": state}, "BPR.pth")
    return {"tokens": {"user": ["[PAD]", *first], "item": ["[PAD]", *second]}}


@pytest.mark.filterwarnings("ignore")
def test_the_examples_run(models, tmp_path, capsys):
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        assert len([line for line in example.splitlines() if line.strip()]) <= 6
        exec(compile(example, str(PAGE), "exec"), dict(models))
    assert capsys.readouterr().out.strip()
    assert {"less.npz", "BPR-less.pth", "less"} <= {path.name for path in tmp_path.iterdir()}
