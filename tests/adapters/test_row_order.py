import numpy as np
import pytest

from mmrecun.adapters import vectors
from mmrecun.adapters.row_order import training_auc
from mmrecun.errors import DataError


def test_the_auc_is_that_of_a_loop_over_all_pairs(ranked, dataset):
    """Items drawn as often as they are popular: the mean over all of them, weighted by their pairs."""
    known, pairs = training_auc(vectors.load(*ranked, dataset))
    users, items = (np.asarray(table, dtype=np.float64) for table in ranked)
    train = dataset.train
    has, ahead = set(zip(train.users.tolist(), train.items.tolist(), strict=True)), []
    for user, item in has:
        others = [other for other in train.items.tolist() if (user, other) not in has]
        ahead += [users[user] @ items[item] > users[user] @ items[other] for other in others]
    assert pairs == len(has)
    assert known == pytest.approx(np.mean(ahead), abs=3 * 0.5 / np.sqrt(len(has)))


def test_rows_in_another_order_are_refused(ranked, dataset):
    order = np.roll(np.arange(len(dataset.items)), 1)  # whoever likes every third item gets the vector of the next one
    with pytest.raises(DataError, match="give the ids of the users and items in the order"):
        vectors.load(ranked[0], ranked[1][order], dataset)
    with pytest.raises(DataError, match="hardly at all; check their order"):
        vectors.load(*ranked, dataset, dataset.users.names, dataset.items.names.gather(order))
    right = vectors.load(ranked[0], ranked[1][order], dataset, item_ids=dataset.items.names.gather(order))
    np.testing.assert_array_equal(right.model.items.weight.detach().numpy(), ranked[1])


def test_a_model_shows_itself_in_a_few_lines(ranked, dataset):
    less = vectors.load(*ranked, dataset).unlearn({"users": ["user-3"]}, settings={"min_cosine": -1})
    first, *lines = repr(less).splitlines()
    assert first == "Model of vectors"
    assert "  users: 29" in lines
    assert "<table" in less._repr_html_()
    assert len(repr(less)) < 400


def test_ids_of_rows_may_be_a_file_whose_heading_is_pointed_out(ranked, dataset, tmp_path):
    order = np.roll(np.arange(len(dataset.items)), 1)
    names = dataset.items.names.gather(order)
    listed = tmp_path / "items.txt"
    listed.write_text("".join(f"{name}\n" for name in names))
    right = vectors.load(ranked[0], ranked[1][order], dataset, item_ids=listed)
    np.testing.assert_array_equal(right.model.items.weight.detach().numpy(), ranked[1])
    listed.write_text("id\n" + listed.read_text())
    with pytest.raises(DataError, match="the first of them 'id', which is no item of the data: leave out a line"):
        vectors.load(ranked[0], ranked[1][order], dataset, item_ids=str(listed))


def test_a_frame_in_place_of_the_data_is_met_with_the_way_to_make_one(ranked, dataset):
    with pytest.raises(DataError, match=r"a DataFrame; give a dataset, such as Dataset.from_frames"):
        vectors.load(*ranked, dataset.to_frames()["interactions"])
