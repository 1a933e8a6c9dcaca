"""Tables in batches: the size of a batch changes nothing, neither what is read nor what is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmrecun.data.importers import batches, id_codes, item_lists
from mmrecun.data.importers.id_codes import sorted_by_number, sorted_pairs, without_blanks
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.importers.readers import Source
from mmrecun.data.splits import _by_user
from mmrecun.errors import DataError


def table(rows: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    keys = rng.choice(20 * 10, rows, replace=False)
    return pl.DataFrame(
        {
            "user": [f"u{key // 10}" for key in keys],
            "item": [f"i{key % 10}" for key in keys],
            "at": rng.integers(1_000, 2_000, rows),
            "rating": rng.integers(1, 6, rows),
            "other": ["x"] * rows,
        }
    )


def written(folder: Path, suffix: str, rows: pl.DataFrame) -> Path:
    path = folder / f"e.{suffix}"
    {"csv": rows.write_csv, "jsonl": rows.write_ndjson, "parquet": rows.write_parquet}[suffix](path)
    return path


CHOICES = [
    {},
    {"timestamp": "at", "weight": "rating", "min_weight": 3},
    {"timestamp": "at", "split": "leave-k-out", "k_core": 2, "duplicates": "first"},
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("choice", CHOICES)
def test_the_size_of_a_batch_changes_nothing(suffix: str, choice: dict, tmp_path: Path, monkeypatch):
    rows = pl.concat([table(), table()[:9]]) if "duplicates" in choice else table()
    path = written(tmp_path, suffix, rows)
    whole = read(path, ImportOptions.of(choice))
    for size in (1, 7):
        monkeypatch.setattr(batches, "ROWS", size)
        found = read(path, ImportOptions.of(choice))
        assert found.dataset.digest == whole.dataset.digest
        assert found.report == whole.report
    assert whole.report.rows == rows.height == len(whole.dataset.interactions) + sum(whole.report.left_out.values())


GOOD = table().write_csv()
BAD = {
    "item missing": GOOD + "u9,,3,1,x\n",
    "user blank": GOOD + '"  ",i1,3,1,x\n',
    "no number": GOOD + "u9,i1,soon,1,x\n",
    "short": GOOD + "u9,i1\n",
    "long": GOOD + "u9,i1,3,1,x,y\n",
    "repeated": GOOD + GOOD.splitlines()[3] + "\n",
    "blank line": GOOD.replace("\n", "\n\n", 1),
    "blank but for another column": GOOD + ",,,,x\n,,,,\n",
    "blank but for a middle column": GOOD + ",,5,,\n",
    "quote": GOOD + 'u9,i"1,3,1,x\n',
}


@pytest.mark.parametrize("case", BAD)
def test_the_size_of_a_batch_changes_no_error(case: str, tmp_path: Path, monkeypatch):
    path = tmp_path / "e.csv"
    path.write_text(BAD[case])
    said = []
    for size in (500_000, 5):
        monkeypatch.setattr(batches, "ROWS", size)
        with pytest.raises(DataError, match=r"e\.csv, line \d+: ") as caught:
            read(path, ImportOptions(timestamp="at"))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_blank_lines_at_the_end_are_no_rows_in_small_batches_either(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 2)
    (tmp_path / "e.csv").write_text(GOOD + "\n\n\n\n\n")
    assert len(read(tmp_path / "e.csv", ImportOptions()).dataset.interactions) == 60


def test_numbers_and_dates_do_not_mix_across_batches(tmp_path: Path, monkeypatch):
    rows = [f"u{n // 5},i{n % 5},{n if n < 10 else '2020-01-01'}" for n in range(20)]
    (tmp_path / "e.csv").write_text("user,item,at\n" + "\n".join(rows) + "\n")
    for size in (20, 10):
        monkeypatch.setattr(batches, "ROWS", size)
        with pytest.raises(DataError, match=r"line 12: at is '2020-01-01'"):
            read(tmp_path / "e.csv", ImportOptions(timestamp="at"))


ODD_TIMES = ["7", " 7", "7 ", "+7", "-7", "-0", "007", "7.0", "7.5", "7e2", "1_0", '"7"', "9223372036854775807", "nan"]
ODD_TIMES += [
    "9223372036854775808",
    "2020-01-01",
    "",
    "x",
    "\u0667",
    "7;",
    "'7'",
    "0x7",
    "-",
    "+",
    '""',
    '" 7"',
    "7\x00",
]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("odd", ODD_TIMES)
def test_times_that_are_parsed_as_numbers_at_once_are_those_of_their_text(
    odd: str, last: bool, tmp_path: Path, monkeypatch
):
    header, row = ("user,item,at", "u{},i{},{}") if last else ("user,at,item", "u{0},{2},i{1}")
    times = [odd if n == 11 else "-3" if n == 5 else str(10**9 + n) for n in range(20)]
    rows = [row.format(n // 5, n % 5, time) for n, time in enumerate(times)]
    (tmp_path / "e.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")

    def outcome() -> object:
        try:
            found = read(tmp_path / "e.csv", ImportOptions(timestamp="at"))
        except DataError as error:
            return str(error)
        return found.dataset.digest, found.report

    monkeypatch.setattr(batches, "ROWS", 4)
    fast = outcome()
    monkeypatch.setattr(batches, "_typed_first", lambda typed, number, text: batches._collected(text))
    assert fast == outcome()


def test_times_turn_from_numbers_to_text_and_blank_lines_in_any_batch(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 3)
    rows = [f"u{n // 5},i{n % 5},{n}" for n in range(20)]
    (tmp_path / "e.csv").write_text("user,item,at\n" + "\n".join([*rows, "", "", "", "", ""]))
    found = read(tmp_path / "e.csv", ImportOptions(timestamp="at")).dataset.interactions
    assert found.attributes["timestamp"].to_list() == list(range(20))
    taken = list(batches.open_table(tmp_path / "e.csv", number="at").batches(["at"]))
    assert [batch.table["at"].dtype for batch in taken[:6]] == [pl.Int64] * 6
    assert taken[-1].table["at"].dtype == pl.String  # the batch of blank lines was read as text
    assert sum(batch.table.height for batch in taken) == 20


@pytest.mark.parametrize("slots", [1, 8, 1 << 12])
def test_ids_are_numbered_by_first_appearance_whatever_hash_they_have(slots: int, monkeypatch):
    monkeypatch.setattr(id_codes, "_FEWEST_SLOTS", slots)
    monkeypatch.setattr(id_codes, "_SLOTS_PER_ID", 1)  # so that many ids want the slot of another
    monkeypatch.setattr(id_codes, "_MOST_KNOWN", 150)
    rng = np.random.default_rng(0)
    codes, parts = id_codes.IdCodes("id"), [rng.integers(300, size=size).astype(str) for size in (1, 80, 400, 7, 900)]
    for part in parts:
        codes.add(Source(Path("x"), pl.DataFrame({"id": part}), None))
    rows = np.concatenate(parts).tolist()
    order = list(dict.fromkeys(rows))
    assert codes.names().to_list() == order
    assert codes.take_codes().tolist() == [order.index(name) for name in rows]


def test_lists_in_small_batches(tmp_path: Path, monkeypatch):
    path = tmp_path / "all.txt"
    path.write_text("".join(f"{user} {' '.join(str(item) for item in range(9))}\n" for user in range(5)))
    whole = read(path, ImportOptions()).dataset.digest
    monkeypatch.setattr(item_lists, "_PAIRS", 4)
    assert read(path, ImportOptions()).dataset.digest == whole


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60),
    far=st.sampled_from([0, 1 << 40, 1 << 60]),
)
def test_pairs_are_sorted_as_by_a_stable_sort(pairs, far):
    users, items = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    order = np.lexsort((np.arange(len(users)), items, users))
    found = sorted_pairs(users + far, items)
    assert [column.tolist() for column in found] == [
        (users + far)[order].tolist(),
        items[order].tolist(),
        order.tolist(),
    ]


@given(
    users=st.lists(st.integers(0, 3000), min_size=1, max_size=80),
    far=st.sampled_from([0, 1 << 36, 1 << 60]),
    seed=st.integers(0, 99),
    ties=st.sampled_from([0, 1, 1e-14]),
)
def test_draws_within_users_are_sorted_as_lexsort_does(users, far, seed, ties):
    draws = np.random.default_rng(seed).random(len(users))
    draws = np.round(draws, 1) * 0.9 + draws * (ties % 1) if ties else draws  # equal, or equal but for late digits
    rows = np.array(users, dtype=np.int64) % 3 + far
    assert _by_user(rows, draws).tolist() == np.lexsort((draws, rows)).tolist()


def test_blanks_and_numbers_of_ids():
    names, codes, padded = without_blanks(pl.Series("id", ["a", " b", "a ", "b"]), np.array([0, 1, 2, 3, 0], np.uint32))
    assert (names.to_list(), codes.tolist(), padded) == (["a", "b"], [0, 1, 0, 1, 0], 2)
    names, codes = sorted_by_number(pl.Series("id", ["10", "9", "-1"]), np.array([0, 1, 2]))
    assert (names.to_list(), codes.tolist()) == (["-1", "9", "10"], [2, 1, 0])
    for odd in (["10", "09"], ["1", "x"], ["1.0", "2"]):
        assert sorted_by_number(pl.Series("id", odd), np.array([0, 1]))[0].to_list() == odd
