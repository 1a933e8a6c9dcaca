"""Amazon Reviews of 2014, 2018 and 2023, made after the published descriptions of their records."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError

ASINS = [f"B00000{n:04d}" for n in range(6)] + ["0439886341", "159985130X"]
USERS = [f"A{n}K8H9Q2L0C7ZX" for n in range(5)]
PAIRS = [(user, asin) for n, user in enumerate(USERS) for m, asin in enumerate(ASINS) if (n + m) % 4]


def old_review(user: str, asin: str, **more: Any) -> dict[str, Any]:
    return {"reviewerID": user, "asin": asin, "overall": 4.0, "unixReviewTime": 1_390_176_000, **more}


REVIEWS = {
    "2014": [
        old_review(
            user, asin, reviewerName="J. M.", helpful=[3, 3], reviewText="fine\nindeed", reviewTime="01 20, 2014"
        )
        for user, asin in PAIRS
    ],
    "2018": [
        old_review(user, asin, verified=True, vote="5", style={"Color:": " Red"}, image=["http://x/y.jpg"])
        for user, asin in PAIRS
    ],
    "2023": [
        {
            "rating": 5.0,
            "title": "Good",
            "images": [{"small_image_url": "http://x"}],
            "asin": f"V{asin[1:]}",
            "parent_asin": asin,
            "user_id": user,
            "timestamp": 1_588_687_728_923,
            "helpful_vote": 0,
            "verified_purchase": True,
        }
        for user, asin in PAIRS
    ],
}

META = {
    "2014": [
        {"asin": asin, "title": f"Case {n}", "price": 3.17, "brand": "Ember", "categories": [["Sports", "Dance"]]}
        for n, asin in enumerate(ASINS[:-1])
    ],
    "2018": [
        {"asin": asin, "title": f"Case {n}", "price": "$3.17", "brand": "Ember", "category": ["Sports", "Dance"]}
        for n, asin in enumerate(ASINS[:-1])
    ],
    "2023": [
        {
            "main_category": "All Beauty",
            "title": f"Case {n}",
            "price": 3.17 if n else "None",
            "store": "Ember",
            "categories": ["Sports", "Dance"],
            "details": {"Color": "Red"},
            "parent_asin": asin,
        }
        for n, asin in enumerate(ASINS[:-1])
    ],
}
STRANGER = {"asin": "B999999999", "parent_asin": "B999999999", "title": "Unsold"}


def written(path: Path, records: list[dict[str, Any]], literal: bool = False) -> Path:
    text = "".join((repr(record) if literal else json.dumps(record)) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("edition", REVIEWS)
@pytest.mark.parametrize("suffix", ["json.gz", "jsonl"])
def test_reviews_and_metadata(edition: str, suffix: str, tmp_path: Path):
    path = written(tmp_path / f"Beauty.{suffix}", REVIEWS[edition])
    repeated = META[edition][0]
    products = written(tmp_path / f"meta.{suffix}", [*META[edition], STRANGER, repeated], edition == "2014")
    found = read(path, ImportOptions(items=products), Format.AMAZON)
    data = found.dataset
    assert data.name == "Beauty"
    assert (len(data.users), len(data.items), len(data.interactions)) == (5, 8, len(PAIRS))
    assert set(data.interactions.attributes["weight"]) == {5.0 if edition == "2023" else 4.0}
    assert set(data.interactions.attributes["timestamp"]) == {1_588_687_728_923 if edition == "2023" else 1_390_176_000}
    told = dict(zip(data.items.names, data.item_attributes.iter_rows(named=True), strict=True))
    assert told[ASINS[3]]["title"] == "Case 3"
    assert (told[ASINS[3]]["brand"], told[ASINS[3]]["category"]) == ("Ember", "Sports > Dance")
    assert told[ASINS[3]]["price"] == 3.17
    assert told[ASINS[-1]]["title"] is None
    text = "\n".join(found.warnings)
    assert "1 product left out, without an interaction" in text
    assert "1 record of a product that was there already" in text
    assert "1 item of the interactions not in it" in text


RATINGS = {
    "2014": "".join(f"{user},{asin},5.0,1369699200\n" for user, asin in PAIRS),
    "2018": "".join(f"{asin},{user},5.0,1369699200\n" for user, asin in PAIRS),
    "2023": "user_id,parent_asin,rating,timestamp\n"
    + "".join(f"{user},{asin},5.0,1588687728923\n" for user, asin in PAIRS),
    "2023 with history": "user_id,parent_asin,rating,timestamp,history\n"
    + "".join(f"{user},{asin},5.0,1588687728923,B000000000 B000000001\n" for user, asin in PAIRS),
}


@pytest.mark.parametrize("edition", RATINGS)
def test_ratings_alone_know_users_from_products(edition: str, tmp_path: Path):
    path = tmp_path / "ratings_Beauty.csv"
    path.write_text(RATINGS[edition])
    data = read(path, ImportOptions(), Format.AMAZON).dataset
    assert set(data.users.names) == set(USERS)
    assert set(data.items.names) == set(ASINS)
    assert len(data.interactions) == len(PAIRS)


def test_ratings_that_could_be_either_are_asked_about(tmp_path: Path):
    path = tmp_path / "ratings.csv"
    path.write_text("".join(f"{m},{n},5.0,1369699200\n" for m in ASINS for n in ASINS))
    with pytest.raises(DataError, match="which column holds the products cannot be told"):
        read(path, ImportOptions(), Format.AMAZON)
    options = ImportOptions(columns=("item", "user", "rating", "timestamp"))
    assert len(read(path, options, Format.AMAZON).dataset.interactions) == 64


BAD = {
    "other records": ([{"user": "a", "thing": "b"}], "neither reviews of 2014 or 2018"),
    "no product": ([old_review(*PAIRS[0]), old_review(PAIRS[1][0], None)], "line 2: 'asin' is missing"),
    "no time": (
        [
            old_review(
                *PAIRS[0],
            ),
            {**old_review(*PAIRS[1]), "unixReviewTime": None},
        ],
        "unixReviewTime",
    ),
    "twice": ([old_review(*PAIRS[0])] * 2, "line 2: the same user and item as in line 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_reviews(case: str, tmp_path: Path):
    records, message = BAD[case]
    with pytest.raises(DataError, match=message):
        read(written(tmp_path / "r.json", records), ImportOptions(), Format.AMAZON)


BAD_META = {
    "a field twice": (
        '{"asin": "B1"}\n{"asin": "B2", "title": "a", "title": "b"}\n',
        "line 2: 'title' occurs twice in one object",
    ),
    "call": ("__import__('os').getcwd()\n", "line 1: neither a JSON object nor a Python literal"),
    "no name": ('{"title": "x"}\n', "line 1: neither 'parent_asin' nor 'asin'"),
    "strangers": (json.dumps(STRANGER) + "\n", "none of its products is an item"),
    "deep": ("[" * 100_000 + "\n", "line 1: neither a JSON object"),
}


@pytest.mark.parametrize("case", BAD_META)
def test_bad_metadata(case: str, tmp_path: Path):
    text, message = BAD_META[case]
    (tmp_path / "meta.json").write_text(text)
    path = written(tmp_path / "r.json", REVIEWS["2018"])
    with pytest.raises(DataError, match=message):
        read(path, ImportOptions(items=tmp_path / "meta.json"), Format.AMAZON)
