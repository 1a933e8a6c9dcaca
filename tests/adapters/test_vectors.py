"""Plain vectors and torch modules: in, unlearned, and out again in the same form."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

from mmrecun import ForgetRequest
from mmrecun.adapters import torch_module, vectors
from mmrecun.adapters.interactions import dataset_of, opened_data, weights_of
from mmrecun.errors import ArtifactError, DataError

REQUEST = ForgetRequest(users=["user-3"], items=["item-8"])


def test_npy_rows_keep_their_places(ranked, dataset, tmp_path):
    for name, rows in zip(("u.npy", "i.npy"), ranked, strict=True):
        np.save(tmp_path / name, rows)
    less = vectors.load(tmp_path / "u.npy", tmp_path / "i.npy", dataset).unlearn(REQUEST)
    less.save(tmp_path / "less")
    users, items = (np.load(tmp_path / "less" / name) for name in ("u.npy", "i.npy"))
    assert (users.shape, items.shape) == (ranked[0].shape, ranked[1].shape)
    assert not users[3].any()
    assert not items[8].any()
    np.testing.assert_array_equal(np.delete(users, 3, axis=0), less.model.users.weight.detach())


def test_parquet_rows_are_found_by_id_and_leave_with_it(ranked, dataset, tmp_path):
    for name, rows, ids in zip(("u", "i"), ranked, (dataset.users.names, dataset.items.names), strict=True):
        table = pl.DataFrame({"key": ids, "embedding": rows.tolist()}).sample(fraction=1, shuffle=True, seed=1)
        table.write_parquet(tmp_path / f"{name}.parquet")
    mine = vectors.load(tmp_path / "u.parquet", tmp_path / "i.parquet", dataset)
    np.testing.assert_allclose(mine.model.users.weight.detach(), ranked[0])
    mine.unlearn(REQUEST).save(tmp_path / "less")
    left = pl.read_parquet(tmp_path / "less" / "u.parquet")
    assert left.columns == ["key", "embedding"]
    assert set(left["key"]) == set(dataset.users.names) - {"user-3"}


def test_safetensors_keep_the_name_of_their_tensor(ranked, dataset, tmp_path):
    for name, rows in zip(("u", "i"), ranked, strict=True):
        (tmp_path / f"{name}.safetensors").write_bytes(safetensors.numpy.save({"table": rows}))
    less = vectors.load(tmp_path / "u.safetensors", tmp_path / "i.safetensors", dataset).unlearn(REQUEST)
    less.save(tmp_path / "less")
    read = safetensors.numpy.load((tmp_path / "less" / "u.safetensors").read_bytes())
    assert list(read) == ["table"]
    assert not read["table"][3].any()


def test_numbers_that_are_no_vectors_are_refused(ranked, dataset, tmp_path):
    users, items = ranked
    for odd in (items.astype(np.complex64), items > 0, items.astype(np.int32)):
        with pytest.raises(ArtifactError, match=f"must be of floating-point numbers, not {odd.dtype}"):
            vectors.load(users, odd, dataset)
    path = tmp_path / "i.safetensors"
    path.write_bytes(safetensors.torch.save({"table": torch.from_numpy(items).bfloat16()}))
    with pytest.raises(ArtifactError, match="numbers of type BF16; save them as float32"):
        vectors.load(users, path, dataset)


def test_ids_and_rows_must_fit(ranked, dataset):
    users, items = ranked
    with pytest.raises(DataError, match="the model has 29 user rows and the data 30 users"):
        vectors.load(users[:-1], items, dataset)
    with pytest.raises(DataError, match="no row of the model is said to be of these users: user-0"):
        vectors.load(users, items, dataset, user_ids=["nobody", *dataset.users.names[1:]])
    with pytest.raises(ArtifactError, match="NaN"):
        vectors.load(users * np.nan, items, dataset)


def test_forgetting_brings_the_pairs_of_a_user_down(ranked, dataset):
    """One step of gradient descent by hand taught them; without them the pairs of the same taste fall."""
    pairs = [
        ("user-5", str(item)) for item in dataset.items.names.gather(dataset.train.items[dataset.train.users == 5])
    ]
    mine = vectors.load(*ranked, dataset)
    less = mine.unlearn(ForgetRequest(pairs=pairs[:4]))
    rows = dataset.items.rows([item for _, item in pairs[:4]])
    before, after = ((one.model.users.weight[5] @ one.model.items.weight[rows].T).mean() for one in (mine, less))
    assert after < before


class TwoTower(nn.Module):
    """A model as somebody writes it by hand."""

    def __init__(self, users, items):
        super().__init__()
        self.user = nn.Embedding.from_pretrained(torch.from_numpy(users), freeze=False)
        self.item = nn.Embedding.from_pretrained(torch.from_numpy(items), freeze=False)
        self.tower = nn.Linear(users.shape[1], users.shape[1])
        self.user_bias = nn.Parameter(torch.ones(len(users)))
        self.register_buffer("item_counts", torch.ones(len(items), dtype=torch.int64))


def test_a_module_comes_back_as_the_same_class_with_its_towers_as_they_were(ranked, dataset, tmp_path):
    module = TwoTower(*ranked)
    mine = torch_module.load(module, "user.weight", "item.weight", dataset)
    less = mine.unlearn(REQUEST)
    new = torch_module.module_of(less)
    assert type(new) is TwoTower
    assert torch.equal(new.tower.weight, module.tower.weight)
    assert not new.user.weight[3].any()
    assert torch.equal(new.user_bias == 0, torch.arange(len(new.user_bias)) == 3)
    assert torch.equal(module.user_bias, torch.ones_like(module.user_bias))
    assert torch.equal(new.item_counts == 0, torch.arange(len(new.item_counts)) == 8)
    assert any("(user_bias, item_counts)" in limit for limit in less.limits)
    assert torch.equal(module.user.weight, torch.from_numpy(ranked[0]))
    assert any("towers" in limit for limit in less.limits)
    less.save(tmp_path / "less.pt")
    assert torch.equal(torch.load(tmp_path / "less.pt", weights_only=True)["item.weight"], new.item.weight)


def test_towers_are_looked_through_and_stay(ranked, dataset):
    module = TwoTower(*ranked)
    with torch.no_grad():
        module.tower.weight.copy_(2 * torch.eye(len(module.tower.weight)))
        module.tower.bias.zero_()
    mine = torch_module.load(module, "user.weight", "item.weight", dataset, towers=("tower", "tower"))
    vectors = mine.model.vectors(None)
    np.testing.assert_allclose(vectors.users.detach(), 2 * ranked[0], rtol=1e-6)
    less = mine.unlearn(REQUEST, settings={"epochs": 0, "min_cosine": -1})
    new = torch_module.module_of(less)
    assert torch.equal(new.tower.weight, module.tower.weight)
    assert module.tower.weight.grad is None
    assert not torch.equal(new.item.weight[0], module.item.weight[0])
    with pytest.raises(ArtifactError, match=r"unknown tower 'towr'; did you mean 'tower'"):
        torch_module.load(module, "user.weight", "item.weight", dataset, towers=("towr", "tower"))
    module.tower = nn.Linear(module.tower.in_features + 1, 2)
    with pytest.raises(ArtifactError, match=r"tower 'tower' does not take rows of \d+ numbers alone: mat1 and mat2"):
        torch_module.load(module, "user.weight", "item.weight", dataset, towers=("tower", "tower"))


def test_short_rows_behind_towers_move_as_the_vectors_that_the_towers_make_of_them(ranked, dataset):
    """Towers that only lengthen rows leave the model that the lengthened rows are without towers."""
    users, items = ranked
    module = TwoTower(users / 8, items / 8)
    with torch.no_grad():
        module.tower.weight.copy_(8 * torch.eye(len(module.tower.weight)))
        module.tower.bias.zero_()
    less = torch_module.load(module, "user.weight", "item.weight", dataset, towers=("tower", "tower")).unlearn(REQUEST)
    plain = vectors.load(users, items, dataset).unlearn(REQUEST)
    new = torch_module.module_of(less)
    for table, expected in ((new.user, plain.model.users), (new.item, plain.model.items)):
        rows = table.weight.detach()[table.weight.any(dim=1)]
        torch.testing.assert_close(8 * rows, expected.weight.detach(), rtol=1e-4, atol=1e-5)


def test_a_table_that_is_not_there_is_named(ranked, dataset):
    with pytest.raises(ArtifactError, match=r"unknown table 'users.weight'; did you mean 'user.weight'"):
        torch_module.load(TwoTower(*ranked), "users.weight", "item.weight", dataset)


def test_matrices_become_a_dataset_with_weights(matrices):
    train, valid, test = matrices
    made = dataset_of(train, valid, test)
    assert len(made.interactions) == train.nnz + valid.nnz + test.nnz
    assert made.users.names[3] == "3"
    with pytest.raises(DataError, match="differ in shape"):
        dataset_of(train, valid[:5])
    with pytest.raises(DataError, match="more than once"):
        dataset_of(train, train)
    with pytest.raises(DataError, match="but 2 ids were given"):
        dataset_of(train, users=["a", "b"])


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(odd, matrices):
    """One of them would make every row of ALS NaN."""
    train = matrices[0].copy()
    train.data[3] = odd
    with pytest.raises(DataError, match=rf"the weight of the pair of user row 0 and item row \d+ is {odd}"):
        dataset_of(train)
    made = dataset_of(matrices[0])
    weights = made.interactions.attributes.with_columns(weight=pl.lit(odd))
    with pytest.raises(DataError, match="must be a finite number"):
        weights_of(replace(made.interactions, attributes=weights))


def test_vectors_without_numbers_are_refused(ranked, dataset):
    with pytest.raises(ArtifactError, match=r"must be \[U, D\] and \[I, D\], not \(30, 0\) and \(40, 0\)"):
        vectors.load(ranked[0][:, :0], ranked[1][:, :0], dataset)


def test_a_table_is_all_training_unless_it_says_otherwise(tmp_path):
    table = pl.DataFrame({"user": list("aaabbb"), "item": list("xyzxyz"), "weight": [1, 2, 3, 4, 5, 6]})
    table.write_csv(tmp_path / "pairs.csv")
    made = opened_data(tmp_path / "pairs.csv")
    assert len(made.train) == 6
    assert weights_of(made.train).sum() == 21
    labels = ["train", "valid", "train", "test", "train", "train"]
    table.with_columns(split=pl.Series(labels)).write_csv(tmp_path / "labelled.csv")
    assert len(opened_data(tmp_path / "labelled.csv").train) == 4


@pytest.mark.parametrize(("suffix", "label"), [("csv", "x_label"), ("inter", "x_label"), ("inter", "split")])
def test_no_pair_that_a_model_was_trained_on_is_drawn_to_be_held_out(suffix, label, tmp_path):
    path, numbers = tmp_path / f"pairs.{suffix}", range(3)
    table = pl.DataFrame({"user_id": sorted([*numbers] * 3), "item_id": [*numbers] * 3, label: [0] * 8 + [2]})
    named = table if suffix == "inter" else table.rename({"user_id": "user", "item_id": "item"})
    named.write_csv(path, separator="\t" if suffix == "inter" else ",")
    assert opened_data(path).interactions.splits.tolist() == [0] * 8 + [2]


def test_a_folder_of_lists_is_to_be_imported_first(tmp_path):
    """The error named options of the import, which `unlearn` does not have."""
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).write_text("0 1 2\n")
    with pytest.raises(DataError, match="lists of items; make a dataset folder of them with 'mmrecun data import'"):
        opened_data(tmp_path)
