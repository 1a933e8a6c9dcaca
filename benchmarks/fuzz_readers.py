"""Damaged files for every reader: `python -m benchmarks.fuzz_readers --inputs 1000000`.

A sample of each format is damaged byte by byte, from a seed, and read. A dataset or one of the package's own errors, of
one line, may come out; anything else is printed with the number that makes it again (`--first`). The reading process is
watched by another, which notes when it dies or stands still, and goes on behind that input. Files are kept in memory
where the system has a folder for that, and polars reads in one thread: a second costs more than it saves.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import MMRecUnError

_PATIENCE = 60  # seconds that reading one input may take
_MEMORY = Path("/dev/shm")
ROWS = [(f"u{n // 5}", f"i{n % 5}", n, 1 + n % 5) for n in range(30)]
TABLE = pl.DataFrame(ROWS, schema=["user", "item", "at", "rating"], orient="row")
CSV = TABLE.write_csv()
LISTS = "".join(f"{user} {' '.join(str(item) for item in range(6))}\n" for user in range(5))
TOKENS = (
    *(b'"', b",", b"\t", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b"'", b":", b" "),
    *(
        b"nan",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b"null",
        b"2020-01-01",
        b"\xf0\x9f\x98\x80",
        b"\\u0000",
        b"user",
    ),
)


class Sample(NamedTuple):
    """Files of a format, by name; which of them is the source; and how it is imported, or else read."""

    files: dict[str, bytes]
    source: str | None
    options: dict[str, object]
    layout: Format = Format.AUTO
    reader: Callable[[Path], object] | None = None

    def read(self, folder: Path) -> object:
        """Read the files in a folder."""
        if self.reader is not None:
            return self.reader(folder)
        return read(folder / self.source if self.source else None, options_of(self, folder), self.layout)


def _bytes(write: Callable[[Path], object]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def _npy(values: np.ndarray) -> bytes:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, values)

    return _bytes(write)


def _database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE plays (user TEXT, item TEXT, at INTEGER, rating INTEGER)")
        connection.executemany("INSERT INTO plays VALUES (?, ?, ?, ?)", ROWS)
        connection.commit()


def samples() -> dict[str, Sample]:
    """Return a sample of each format."""
    named = {"timestamp": "at", "weight": "rating", "min_weight": 2}
    reviews = [{"reviewerID": u, "asin": i, "overall": r, "unixReviewTime": t} for u, i, t, r in ROWS]
    products = [{"asin": f"i{n}", "title": f"T {n}", "categories": [["A", "B"]], "price": 1.5} for n in range(5)]
    lines = "".join(json.dumps(record) + "\n" for record in reviews).encode()
    items = pl.DataFrame({"id": [f"i{n}" for n in range(5)], "title": ["a", 'b "', "c,", "d", "e"]}).write_csv()
    inter = "userID\titemID\tx_label\n" + "".join(f"{n // 5}\t{n % 5}\t{n % 3}\n" for n in range(30))
    vectors = pl.DataFrame({"id": [f"i{n}" for n in range(5)], "v": [[1.0, 2.0]] * 5})
    stream = _bytes(TABLE.write_ipc_stream)
    beside = {"items": "items.csv", "features": {"v": "v.npy", "w": "w.parquet", "x": "x"}}
    features = {
        "v.npy": _npy(np.eye(5)),
        "w.parquet": _bytes(vectors.write_parquet),
        "x/i1.npy": _npy(np.ones(2)),
        "x/i3.npy": _npy(np.ones(2)),
    }
    pairs = TABLE.select("user", "item", timestamp="at").write_csv().encode()
    state = json.dumps({"_data_files": [{"filename": "d.arrow"}]}).encode()
    tuples = "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, t, r in ROWS).encode()
    splits = {"train": "a.csv", "test": "b.csv"}
    query = {"sql": "sqlite:///shop.db", "query": "SELECT * FROM plays"}
    return {
        "csv": Sample({"e.csv": CSV.encode()}, "e.csv", named),
        "tsv": Sample({"e.tsv": CSV.replace(",", "\t").encode()}, "e.tsv", named),
        "csv.gz": Sample({"e.csv.gz": gzip.compress(CSV.encode(), mtime=0)}, "e.csv.gz", named),
        "jsonl": Sample({"e.jsonl": TABLE.write_ndjson().encode()}, "e.jsonl", named),
        "jsonl.gz": Sample({"e.jsonl.gz": gzip.compress(TABLE.write_ndjson().encode(), mtime=0)}, "e.jsonl.gz", named),
        "json": Sample({"e.json": json.dumps(TABLE.to_dicts(), indent=1).encode()}, "e.json", named),
        "parquet": Sample({"e.parquet": _bytes(TABLE.write_parquet)}, "e.parquet", named),
        "arrow": Sample({"e.arrow": stream}, "e.arrow", named),
        "feather": Sample({"e.feather": _bytes(TABLE.write_ipc)}, "e.feather", named),
        "arrow.zst": Sample({"e.arrow": _bytes(partial(TABLE.write_ipc_stream, compression="zstd"))}, "e.arrow", named),
        "feather.lz4": Sample({"e.feather": _bytes(partial(TABLE.write_ipc, compression="lz4"))}, "e.feather", named),
        "features": Sample({"e.csv": CSV.encode(), "items.csv": items.encode(), **features}, "e.csv", beside),
        "mmrec": Sample({"s/x.inter": inter.encode(), "s/v_feat.npy": _npy(np.eye(5))}, "s", {}),
        "lists": Sample({"s/train.txt": LISTS.encode(), "s/test.txt": b"0 7\n1 8\n2\n"}, "s", {}),
        "splits": Sample({"a.csv": CSV.encode(), "b.csv": b"user,item,at\nu0,i9,1\n"}, None, splits),
        "amazon": Sample(
            {"r.json": lines, "m.json": "".join(f"{record}\n" for record in products).encode()},
            "r.json",
            {"items": "m.json"},
            Format.AMAZON,
        ),
        "microlens": Sample(
            {"s/m_pairs.csv": pairs, "s/m_titles.csv": items.replace("id", "item", 1).encode()}, "s", {}
        ),
        "uirt": Sample({"r.txt": tuples}, "r.txt", {}, Format.UIRT),
        "uitup": Sample({"r.txt": tuples}, "r.txt", {}, Format.UITUP),
        "datasets": Sample({"s/state.json": state, "s/d.arrow": stream}, "s", named),
        "sql": Sample({"shop.db": _bytes(_database)}, None, {**query, **named}),
    }


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return content with one to four places changed."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place, span = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 8, 64))
        kind = rng.randrange(6)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place:place] = rng.choice(TOKENS)
        elif kind == 2:
            del changed[place : place + span]
        elif kind == 3:
            changed[place:place] = changed[place : place + span]
        elif kind == 4:
            changed[place : place + span] = rng.randbytes(span)
        else:
            changed[place : place + 1] = rng.choice(TOKENS)
    return bytes(changed)


def failure(sample: Sample, seed: str, folder: Path) -> str:
    """Read a damaged sample; return what came out that should not, and nothing when all is well.

    Args:
        sample: of a format; its other files are in `folder`, and are put back.
        seed: decides the damage.
        folder: to read from.
    """
    rng = random.Random(seed)
    name = rng.choice(sorted(sample.files))
    (folder / name).write_bytes(damaged(sample.files[name], rng))
    try:
        sample.read(folder)
    except MMRecUnError as error:
        return f"an error of several lines: {error!r}" if len(str(error).splitlines()) > 1 else ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a panic of a library is no Exception
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        (folder / name).write_bytes(sample.files[name])
    return ""


def options_of(sample: Sample, folder: Path) -> ImportOptions:
    """Return how a sample in a folder is read."""
    given = dict(sample.options)
    for name in ("items", "train", "test"):
        if name in given:
            given[name] = folder / str(given[name])
    if isinstance(files := given.get("features"), dict):
        given["features"] = {name: folder / file for name, file in files.items()}
    if "sql" in given:
        given["sql"] = f"sqlite:///{folder / 'shop.db'}"
    return ImportOptions.of({"duplicates": "first", **given})


def prepared(sample: Sample, folder: Path) -> None:
    """Write the files of a sample."""
    for name, content in sample.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.fuzz_readers", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--only", nargs="+", default=[], help="formats")
    chosen = parser.parse_args(arguments)
    started, failures, first, end = time.perf_counter(), 0, chosen.first, chosen.first + chosen.inputs
    os.environ["POLARS_MAX_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    while first < end and (left := chosen.seconds - (time.perf_counter() - started)) > 0:
        now, found = context.Value("q", first - 1), context.Value("q", 0)
        child = context.Process(target=_run, args=(first, end, left, chosen.only, now, found))
        child.start()
        died = _watched(child, now)
        if now.value < first:
            raise SystemExit("the samples could not be made; see the error above")
        failures += found.value + bool(died)
        if died:
            print(f"{now.value}: the process {died}", flush=True)
        first = now.value + 1
    spent = time.perf_counter() - started
    print(f"{first - chosen.first} inputs in {spent:.0f} s: {failures} failures")


def _run(first: int, end: int, seconds: float, only: list[str], now: Any, failures: Any) -> None:
    """Damage and read, in a process of its own; `now` is the number of the input, for whoever watches."""
    from benchmarks.fuzz_artifacts import artifact_samples

    every = {name: sample for name, sample in (samples() | artifact_samples()).items() if not only or name in only}
    started = time.perf_counter()
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as top:
        for name, sample in every.items():
            prepared(sample, Path(top) / name)
        for number in range(first, end):
            now.value, name = number, list(every)[number % len(every)]
            if found := failure(every[name], f"{name} {number}", Path(top) / name):
                failures.value += 1
                print(f"{name} {number}: {found}", flush=True)
            if time.perf_counter() - started > seconds:
                return


def _watched(child: Any, now: Any) -> str:
    """Return how a process died, or that it stood still and was ended; nothing when it came to its end."""
    last, start = None, now.value
    while child.is_alive():
        if now.value == last != start:
            child.kill()
            child.join()
            return f"stood still for {_PATIENCE} s"
        last = now.value
        child.join(_PATIENCE)
    return f"died with exit code {child.exitcode}" if child.exitcode else ""


if __name__ == "__main__":
    main()
