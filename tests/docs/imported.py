"""The files and folders of other tools that docs/how-to/data.md reads, each with a few pairs."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl

from tests.data.test_item_lists import lightgcn
from tests.data.test_other_tools import ducho, microlens

NAMES = [(f"u{user}", f"i{item}") for user in range(1, 14) for item in range(1, 12) if (user + 2 * item) % 5]
TABLE = pl.DataFrame(NAMES, schema=["user", "item"], orient="row")
ITEMS = TABLE["item"].unique().sort()


def make() -> None:
    mmrec()
    tables()
    movielens()
    lightgcn(Path("gowalla"))
    amazon()
    microlens(Path("MicroLens-50k"))
    saved()
    database()


def mmrec() -> None:
    Path("tiktok").mkdir()
    numbers = TABLE.select(
        pl.col("user").str.slice(1).cast(pl.Int64).alias("userID"),
        pl.col("item").str.slice(1).cast(pl.Int64).alias("itemID"),
    ).with_columns((pl.int_range(pl.len()) % 5 % 3).alias("x_label"))
    numbers.write_csv("tiktok/tiktok.inter", separator="\t")
    np.save("tiktok/image_feat.npy", np.eye(12, 4))


def tables() -> None:
    """Events with times, items, features by id and by place, and a split in two files."""
    timed = TABLE.rename({"user": "account", "item": "video"}).with_columns(pl.int_range(pl.len()).alias("played_at"))
    timed.write_parquet("events.parquet")
    pl.DataFrame({"video": ITEMS, "title": ITEMS}).write_csv("videos.csv")
    pl.DataFrame({"video": ITEMS[1:], "vector": [[1.0, 2.0]] * (len(ITEMS) - 1)}).write_parquet("image.parquet")
    np.save("text.npy", np.eye(len(ITEMS)))
    Path("ids.txt").write_text("\n".join(ITEMS))
    ducho(Path("ducho/visual"))
    TABLE.write_csv("events.csv")
    split = TABLE.rename({"user": "uid", "item": "iid"}).with_columns(pl.lit(1).alias("val"))
    split.filter(pl.int_range(pl.len()) % 5 > 0).write_csv("train.csv")
    split.filter(pl.int_range(pl.len()) % 5 == 0).write_csv("test.csv")
    Path("rating.txt").write_text("".join(f"{user}\t{item}\t4.5\t1363245118\n" for user, item in NAMES))


def movielens() -> None:
    """As GroupLens lays its files out, of 1998 without a header and of today."""
    Path("ml-100k").mkdir()
    Path("ml-100k/u.data").write_text("".join(f"{user[1:]}\t{item[1:]}\t4\t881250949\n" for user, item in NAMES))
    Path("ml-32m").mkdir()
    rated = "".join(f"{user[1:]},{item[1:]},4.5,944249077\n" for user, item in NAMES)
    Path("ml-32m/ratings.csv").write_text("userId,movieId,rating,timestamp\n" + rated)
    titles = "".join(f'{item[1:]},"American President, The (1995)",Comedy|Drama\n' for item in ITEMS)
    Path("ml-32m/movies.csv").write_text("movieId,title,genres\n" + titles)


def amazon() -> None:
    def write(path: str, records: list[dict]) -> None:
        Path(path).write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))

    write(
        "Beauty.jsonl.gz",
        [{"user_id": user, "parent_asin": item, "rating": 5.0, "timestamp": 1_588_615_855_070} for user, item in NAMES],
    )
    write("meta_Beauty.jsonl.gz", [{"parent_asin": item, "title": item, "price": 3.17} for item in ITEMS])


def saved() -> None:
    """As Hugging Face's `save_to_disk` lays a dataset out."""
    Path("saved").mkdir()
    TABLE.rename({"user": "user_id", "item": "item_id"}).write_ipc_stream("saved/data-00000-of-00001.arrow")
    Path("saved/state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    Path("saved/dataset_info.json").write_text("{}")


def database() -> None:
    with closing(sqlite3.connect("shop.db")) as connection:
        connection.execute("CREATE TABLE plays (account TEXT, video TEXT)")
        connection.executemany("INSERT INTO plays VALUES (?, ?)", NAMES)
        connection.commit()
