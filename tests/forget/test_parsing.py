"""Requests as people write them."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ForgetError
from mmrecun.forget.parsing import add_matching, read_ids, read_modalities, read_pairs
from mmrecun.forget.request import ForgetRequest


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
        ("u1,i1\n\nu2\n", "line 3: expected a user and an item, found 1 column"),
        ("u1,i1\nu2,\n", "line 2: expected a user and an item"),
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
    with pytest.raises(ForgetError, match="binary: not readable as UTF-16"):
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


def named(users: list[str], items: list[str] | None = None, columns: dict[str, str] | None = None) -> Dataset:
    """Every user has every item."""
    items = items or ["i1", "i2"]
    rows = np.arange(len(users) * len(items))
    pairs = Interactions(rows // len(items), rows % len(items), np.zeros(len(rows), dtype=np.int8))
    return Dataset("x", IdMap.of("user", users), IdMap.of("item", items), pairs, columns=columns or {})


@pytest.mark.parametrize(
    ("users", "text", "found"),
    [
        (["#Q1", "P2"], "#Q1\nP2\n", ["#Q1", "P2"]),
        (["#Q1"], "# a reason\n#Q1\n#Q9\n", ["#Q1", "#Q9"]),
        (["# 1", "# 2"], "# 1\n# 2\n", ["# 1", "# 2"]),
        (["user", "u2"], "user\nu2\n", ["user", "u2"]),
        (["id", "u2"], "id\n", ["id"]),
        (["u3", "u5"], "user_id\nu3\nu5\n", ["u3", "u5"]),
        (["u3", "u5"], "user_id:token\nu3\nu5\n", ["u3", "u5"]),
        (["u3", "u5"], '"user"\n"u3"\n"u5"\n', ["u3", "u5"]),
        (["u3", "u5"], 'user,reason\nu3,art17\nu5,"art17, twice"\n', ["u3", "u5"]),
        (["u3", "u5"], "date;userID\n2024-01-01;u3\n2024-01-02;u5\n", ["u3", "u5"]),
        (["u3", "u5"], "u3\t2024-01-01\nu5\t2024-01-02\n", ["u3", "u5"]),
        (["u3", "u5"], "Konto\nu3\nu5\n", ["u3", "u5"]),
        (["Smith, John", "Smith"], "Smith, John\n", ["Smith, John"]),
        (["Smith"], "Smith, John\n", ["Smith, John"]),
        (["a;b", "c"], "a;b\nc\n", ["a;b", "c"]),
        (["u3"], "u3,,\nu9,,\n", ["u3", "u9"]),
        (["u3"], "u3,why,\nu9,why,\n", ["u3", "u9,why,"]),
        (["u3"], " u3 \r\n", ["u3"]),
        (["u3", "u4"], "u3\ru4\r", ["u3", "u4"]),
    ],
)
def test_a_line_that_is_an_id_is_taken_as_one(users: list[str], text: str, found: list[str], tmp_path: Path):
    known = named(users).users
    assert list(read_ids(written(tmp_path, text), "user", known, "konto")) == found


def test_what_is_passed_over_or_can_be_read_in_two_ways_is_told(tmp_path: Path):
    reported: list[str] = []
    read_ids(written(tmp_path, "# why\n# who\nu3\n"), "user", named(["u3"]).users, warn=reported.append)
    assert reported == [f"{tmp_path / 'request.txt'}: 2 comments were passed over (lines that begin with '# ')"]
    reported.clear()
    read_ids(written(tmp_path, "user\nu3\n"), "user", named(["user", "u3"]).users, warn=reported.append)
    assert "'user' was taken for a user of that name, not for a header" in reported[0]


def test_a_first_line_that_alone_is_unknown_looks_like_a_header(tmp_path: Path):
    path, known = written(tmp_path, "Mitglied\nu3\nu5\n"), named(["u3", "u5"]).users
    with pytest.raises(
        ForgetError, match="line 1: 'Mitglied' is not among the users of the dataset, and all others are"
    ):
        read_ids(path, "user", known)
    assert read_ids(path, "user", known, lenient=True) == ("Mitglied", "u3", "u5")


def test_a_refusal_is_one_line_whatever_stands_in_the_id(tmp_path: Path):
    """A form feed, a separator of records and a line separator of Unicode end a line for Python and some terminals."""
    path, known = written(tmp_path, "a\x0bb\x1cc\u2028d\x1b[2J\nu3\nu5\n"), named(["u3", "u5"]).users
    with pytest.raises(ForgetError) as caught:
        read_ids(path, "user", known)
    assert r"'a\x0bb\x1cc\u2028d\x1b[2J' is not among the users" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "uid,iid,val,tag\nu1,i2,4,1600\n",
        "user_id:token\titem_id:token\nu1\ti2\n",
        "item;when;user\ni2;2024;u1\n",
        "u1,i2,4\n",
        "u1|i2\n",
        "# why\nu1,i2\n",
        "# why\nu1;i2\n",
        "konto,ware\nu1,i2\n",
    ],
)
def test_pairs_are_found_in_exports(text: str, tmp_path: Path):
    dataset = named(["u1", "u2"], columns={"user": "konto", "item": "ware"})
    assert read_pairs(written(tmp_path, text), dataset) == (("u1", "i2"),)


def test_ids_of_a_pair_may_look_like_a_header_or_a_comment_or_hold_a_separator(tmp_path: Path):
    dataset = named(["# 1", "user"], ["item", "a,b"])
    text = "# 1\titem\nuser\ta,b\n"
    assert read_pairs(written(tmp_path, text), dataset) == (("# 1", "item"), ("user", "a,b"))
    assert read_pairs(written(tmp_path, "user\titem\n"), dataset) == (("user", "item"),)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_requests_may_be_typed_tables(suffix: str, tmp_path: Path):
    table, path = pl.DataFrame({"when": [1, 2], "user_id": [3, 5], "item": ["i1", "i2"]}), tmp_path / f"r.{suffix}"
    {"parquet": table.write_parquet, "jsonl": table.write_ndjson}[suffix](path)
    assert read_ids(path, "user") == ("3", "5")
    assert read_pairs(path) == (("3", "i1"), ("5", "i2"))
    with pytest.raises(ForgetError, match="no such file"):
        read_ids(tmp_path / f"no.{suffix}", "user")


@pytest.mark.parametrize(
    ("expression", "field"),
    [("country == 'AT'", "users"), ("year < 2000", "items"), ("timestamp < 1620000000", "pairs")],
)
def test_an_expression_widens_a_request(expression: str, field: str, dataset: Dataset):
    before = ForgetRequest(
        users=("u00001",), items=("i00001",), pairs=(("u00002", "i00002"),), modalities={"audio": None}
    )
    after, undecided = add_matching(before, dataset, expression)
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
        add_matching(ForgetRequest(), dataset, "year > 3000")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"users": [1.5]}, "1.5 is not an id; ids are text or whole numbers"),
        ({"users": [True]}, "True is not an id"),
        ({"users": "u1"}, "'u1' is not a list of ids; give one, such as"),
        ({"items": 7}, "7 is not a list of ids"),
        ({"items": np.array("i1")}, "is not a list of ids"),
        ({"pairs": "u1"}, "'u1' is not a list of pairs"),
        ({"pairs": 7}, "7 is not a list of pairs"),
        ({"pairs": ["u1"]}, "'u1' is not a pair; write"),
        ({"pairs": [{"u1", "i1"}]}, "is not a pair; write"),
        ({"pairs": [("u1", "i1", "i2")]}, "is not a pair of a user and an item"),
        ({"user": ["u1"]}, "unknown target 'user'; did you mean 'users'"),
    ],
)
def test_what_is_no_request_is_named(named: dict[str, object], message: str):
    with pytest.raises(ForgetError, match=re.escape(message)):
        ForgetRequest(**named)  # type: ignore[arg-type]


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ForgetError, match="-: standard input is closed; name a file"):
        read_ids(Path("-"), "user")
