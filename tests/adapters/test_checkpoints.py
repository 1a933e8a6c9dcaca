"""Checkpoints of torch: read, edited in place, and read by torch again."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmrecun import ForgetRequest
from mmrecun.adapters import checkpoints, recbole
from mmrecun.adapters.checkpoint_file import CheckpointFile
from mmrecun.errors import ArtifactError, DataError


class Config:
    """Stands where RecBole has its configuration: a class that only a full unpickler makes again."""

    def __init__(self):
        self.seed = 7


@pytest.fixture
def saved(tmp_path, ranked):
    """A checkpoint as RecBole lays it out: row 0 is padding, moments of Adam stand beside the tables."""
    tables = [torch.cat([torch.zeros(1, rows.shape[1]), torch.from_numpy(rows)]) for rows in ranked]
    state = OrderedDict(zip(("user_embedding.weight", "item_embedding.weight"), tables, strict=True))
    adam = {"state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.ones_like(tables[0])}}, "param_groups": []}
    path = tmp_path / "BPR.pth"
    content = {"config": Config(), "epoch": 4, "state_dict": state, "other_parameter": None, "optimizer": adam}
    torch.save(content, path, pickle_protocol=4)
    return path


@pytest.fixture
def tokens(dataset):
    return ["[PAD]", *dataset.users.names], ["[PAD]", *dataset.items.names]


def test_rows_of_the_forgotten_are_empty_and_everything_else_is_as_it_was(saved, tokens, dataset, tmp_path):
    mine = recbole.load(saved, dataset, *tokens)
    less = mine.unlearn(ForgetRequest(users=["user-4"], items=["item-9"]))
    less.save(tmp_path / "less.pth")
    before, after = (torch.load(path, weights_only=False) for path in (saved, tmp_path / "less.pth"))
    users, items = (after["state_dict"][name] for name in ("user_embedding.weight", "item_embedding.weight"))
    assert type(after["config"]) is Config
    assert (after["config"].seed, after["epoch"]) == (7, 4)
    assert not users[[0, 5]].any()
    assert not items[[0, 10]].any()
    assert users[1:5].abs().sum(dim=1).all()
    assert not after["optimizer"]["state"][0]["exp_avg"].any()
    np.testing.assert_array_equal(users[1:5], less.model.users.weight[:4].detach())
    assert not torch.equal(users[1:5], before["state_dict"]["user_embedding.weight"][1:5])


def test_further_tables_lose_the_rows_of_the_forgotten(ranked, dataset, tmp_path):
    """Biases, second tables and moments of any optimiser hold rows of persons, too; layers of the same size do not."""
    users, items = (torch.from_numpy(rows) for rows in ranked)
    bias = torch.arange(1.0, 1 + len(users))
    model = OrderedDict(
        {
            "user.weight": users,
            "item.weight": items,
            "user.bias": bias,
            "best/user_mlp": torch.ones(len(users), 3),
            "item_pop.weight": torch.ones(len(items), 1, dtype=torch.bfloat16),
            "item_seen": torch.ones(len(items), dtype=torch.uint8),
            "user_tower.0.weight": torch.ones(len(users), 2),  # as wide as there are users
            "user_tower.0.bias": torch.ones(len(users)),
            "anything": torch.ones(len(items), 2),
        }
    )
    moments = torch.ones_like(users, dtype=torch.bfloat16)
    ids = {name: row for row, name in enumerate(dataset.users.names)}
    content = {"model": model, "optimizer_states": [{"state": {0: {"exp_avg": moments}}}], "user2row": ids, "epoch": 4}
    torch.save(content, tmp_path / "mine.pth")
    mine = checkpoints.load(tmp_path / "mine.pth", "model/user.weight", "model/item.weight", dataset)
    less = mine.unlearn(ForgetRequest(users=["user-4"], items=["item-9"]))
    less.save(tmp_path / "less.pth")
    after = torch.load(tmp_path / "less.pth", weights_only=True)
    rows = {"user.weight": 4, "user.bias": 4, "best/user_mlp": 4, "item_pop.weight": 9, "item_seen": 9}
    for name, gone in rows.items():
        found = after["model"][name].reshape(len(after["model"][name]), -1).any(dim=1)
        assert found.logical_not().nonzero().flatten().tolist() == [gone], name
    assert torch.equal(after["model"]["user.bias"][5:], bias[5:])
    assert all(after["model"][name].all() for name in ("user_tower.0.weight", "user_tower.0.bias", "anything"))
    assert not after["optimizer_states"][0]["state"][0]["exp_avg"].any()
    said = " ".join(less.limits)
    assert "(model/anything) stay as they were trained" in said
    assert "lists of ids in the file (user2row) keep the forgotten" in said
    plain = two_tables(ranked, tmp_path / "two.pth")
    assert not any(
        word in " ".join(checkpoints.load(plain, "u", "i", dataset).limits) for word in ("lists of", "tables")
    )


def two_tables(ranked, path):
    """A file of the two tables alone."""
    torch.save(OrderedDict(zip(("u", "i"), map(torch.from_numpy, ranked), strict=True)), path)
    return path


def test_what_was_written_reads_as_what_was_unlearned(saved, tokens, dataset, tmp_path):
    mine = recbole.load(saved, dataset, *tokens)
    less = mine.unlearn(ForgetRequest(users=["user-4"]))
    less.save(tmp_path / "less.pth")
    again = recbole.load(tmp_path / "less.pth", less.dataset, *tokens)
    assert torch.equal(again.model.users.weight, less.model.users.weight)
    report = again.audit(original=mine)
    assert report.forgotten["users"] == 1
    assert report.measurements("unlearned").retain


def test_with_layers_it_is_lightgcn(saved, tokens, dataset):
    mine = recbole.load(saved, dataset, *tokens, layers=2)
    less = mine.unlearn(ForgetRequest(users=["user-4"]), settings={"min_cosine": -1})
    assert type(less.model).__name__ == "LightGCN"
    assert less.model.config.layers == 2


def test_a_file_is_never_replaced(saved, tokens, dataset):
    less = recbole.load(saved, dataset, *tokens).unlearn(ForgetRequest(users=["user-4"]))
    with pytest.raises(ArtifactError, match="already exists"):
        less.save(saved)


def test_a_table_that_is_not_there_is_named(saved, tokens, dataset):
    with pytest.raises(ArtifactError, match=r"unknown table 'state_dict/user_emb.weight'; did you mean"):
        recbole.load(saved, dataset, *tokens, tables=("user_emb.weight", "item_embedding.weight"))


def test_tokens_must_fit_the_rows(saved, dataset):
    with pytest.raises(DataError, match="the model has 31 user rows, but 30 user ids were given"):
        recbole.load(saved, dataset, dataset.users.names, dataset.items.names)


def test_tables_of_another_type_are_refused(ranked, dataset, tmp_path):
    for dtype, told in ((torch.bfloat16, "not bfloat16; save them as float32"), (torch.int16, "not int16; save")):
        torch.save(
            {name: torch.from_numpy(rows).to(dtype) for name, rows in zip("ui", ranked, strict=True)},
            tmp_path / "m.pth",
        )
        with pytest.raises(ArtifactError, match=told):
            checkpoints.load(tmp_path / "m.pth", "u", "i", dataset)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}."], ids=["empty", "cut", "legacy"])
def test_other_files_are_refused(tmp_path, content, dataset):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.pth: not a checkpoint of torch"):
        checkpoints.load(path, "users", "items", dataset)
    with pytest.raises(ArtifactError, match="no such file"):
        CheckpointFile.read(tmp_path / "nothing.pth")


def test_a_transposed_table_is_told_and_not_called_damaged(ranked, dataset, tmp_path):
    users, items = map(torch.from_numpy, ranked)
    torch.save({"u": users.T.contiguous().T, "i": items}, tmp_path / "m.pth")
    with pytest.raises(ArtifactError, match=r"not stored row by row, as after a transposition; save it with .contig"):
        checkpoints.load(tmp_path / "m.pth", "u", "i", dataset)
