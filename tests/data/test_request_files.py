"""Requests as people write them."""

from pathlib import Path

import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest
from mmrecun.data.request_files import merge_where, read_ids, read_modalities, read_pairs
from mmrecun.errors import ForgetError


def written(folder: Path, text: str) -> Path:
    path = folder / "request.txt"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("u1\nu2\n", ("u1", "u2")),
        ("\ufeffuser\r\nu1\r\n\r\n# why\r\nu2", ("u1", "u2")),
        ("u 1, the first\n", ("u 1, the first",)),
        ("u\u20281\nu\x0c2\nu\x853\n", ("u\u20281", "u\x0c2", "u\x853")),
        ("u1\nuser\n", ("u1", "user")),
    ],
)
def test_ids_are_one_a_line(text: str, ids: tuple[str, ...], tmp_path: Path):
    assert read_ids(written(tmp_path, text), "user") == ids


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("u1,i1\nu2,i2\n", (("u1", "i1"), ("u2", "i2"))),
        ("user_id\titem_id\r\nu1\ti,1\r\n", (("u1", "i,1"),)),
        ('user;item\n"u;1";i1\n\n# why\nu2; i2\n', (("u;1", "i1"), ("u2", "i2"))),
    ],
)
def test_pairs_are_two_columns(text: str, pairs: tuple[tuple[str, str], ...], tmp_path: Path):
    assert read_pairs(written(tmp_path, text)) == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pair"),
        ("user,item\n", "holds no pair"),
        ("u1,i1\n\nu2\n", "line 3: expected a user and an item, found 1 columns"),
        ("u1,i1\nu2,\n", "line 2: expected a user and an item"),
        ("u1,i1,5\n", "line 1: expected a user and an item, found 3 columns"),
    ],
)
def test_what_is_no_pair_is_named_by_its_line(text: str, message: str, tmp_path: Path):
    with pytest.raises(ForgetError, match=message):
        read_pairs(written(tmp_path, text))


def test_what_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ForgetError, match="nowhere: no such file"):
        read_ids(tmp_path / "nowhere", "user")
    with pytest.raises(ForgetError, match="a folder, not a file"):
        read_ids(tmp_path, "user")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ForgetError, match="binary: not readable as UTF-8"):
        read_pairs(tmp_path / "binary")
    with pytest.raises(ForgetError, match="line 2: several columns"):
        read_ids(written(tmp_path, "u1\nu2\ti2\n"), "user")
    with pytest.raises(ForgetError, match="holds no user id"):
        read_ids(written(tmp_path, "id\n# nobody\n"), "user")


def test_modalities_come_whole_or_for_listed_items(tmp_path: Path):
    path = written(tmp_path, "i1\ni2\n")
    assert read_modalities(["audio", f"image:{path}"]) == {"audio": None, "image": ("i1", "i2")}
    with pytest.raises(ForgetError, match="'audio' is named twice"):
        read_modalities(["audio", f"audio:{path}"])


@pytest.mark.parametrize(
    ("expression", "field"),
    [("country == 'AT'", "users"), ("year < 2000", "items"), ("timestamp < 1620000000", "pairs")],
)
def test_an_expression_widens_a_request(expression: str, field: str, dataset: Dataset):
    before = ForgetRequest(
        users=("u00001",), items=("i00001",), pairs=(("u00002", "i00002"),), modalities={"audio": None}
    )
    after, undecided = merge_where(before, dataset, expression)
    assert undecided == 0
    for name in ForgetRequest.model_fields:
        if name != field:
            assert getattr(after, name) == getattr(before, name)
    added = getattr(after, field)[1:]
    pairs = dataset.interactions
    names = {
        "users": dataset.users.names.filter(dataset.user_attributes["country"] == "AT").to_list(),
        "items": dataset.items.names.filter(dataset.item_attributes["year"] < 2000).to_list(),
        "pairs": [
            (dataset.users.names[int(user)], dataset.items.names[int(item)])
            for user, item, at in zip(pairs.users, pairs.items, pairs.attributes["timestamp"], strict=True)
            if at < 1_620_000_000
        ],
    }
    assert names[field]
    assert list(added) == names[field]


def test_an_expression_that_selects_nothing_is_refused(dataset: Dataset):
    with pytest.raises(ForgetError, match="no row of items fits"):
        merge_where(ForgetRequest(), dataset, "year > 3000")
