"""Refusals of unknown ids say where in a request they stand."""

import io
import os
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from mmrecun import ForgetRequest, load


@pytest.mark.parametrize(
    ("option", "content", "line"),
    [
        ("--users", "u00001\r\n\r\nnobody\r\n", 3),
        ("--users", "user;since\nu00001;2020\nu00002;2021\n  nobody ;2022\n", 4),
        ("--users", "sep=:\nuser:why\nnobody:x\n", 3),
        ("--users", 'sep=;\n"nobody"\n', 2),
        ("--items", '# of March\ni00001\n"a, b"\n', 3),
        ("--pairs", "user,item\nnobody,i00001\n", 2),
        ("--pairs", "5,i00001,nobody\n", 1),
        ("--modality", "i00001\nnothing\n", 2),
    ],
)
def test_the_line_of_an_unknown_id_is_named(
    cli, run_folder: Path, tmp_path: Path, option: str, content: str, line: int
):
    path = tmp_path / "asked for.csv"
    path.write_text(content, newline="")
    given = f"image:{path}" if option == "--modality" else path
    code, _, err = cli("unlearn", run_folder, "--user", "u00003", option, given, "--dry-run")
    assert code == 2
    assert err.splitlines()[-1].startswith(f"error: {path}, line {line}: ")


def test_a_pipe_is_read_once(cli, run_folder: Path, tmp_path: Path):
    """A second reading, for the line, would wait for another writer without end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("u00001\nnobody\n",), daemon=True)
    writer.start()
    code, _, err = cli("unlearn", run_folder, "--users", pipe, "--dry-run")
    assert (code, err) == (2, "error: unknown user id: nobody; --ignore-unknown forgets the others\n")
    writer.join()


@pytest.mark.parametrize(
    ("option", "name", "content", "place"),
    [
        ("--users", "q.json", '["u00001", "nobody"]', "line 1"),
        ("--users", "q.json", '{"users": ["u00001", "u00002", "nobody"]}', "row 2"),
        ("--items", "q.jsonl", '{"item": "i00001"}\n\n{"item": "nothing"}\n', "line 3"),
        ("--pairs", "q.jsonl", '{"user": "nobody", "item": "i00001"}\n', "line 1"),
        ("--pairs", "q.json", '{"pairs": [["u00001", "nothing"]]}', "row 0"),
        ("--modality", "q.json", '["nothing", "i00001"]', "line 1"),
        ("--users", "q.json", '[\n  {"user": "u00001"},\n  {"user": "nobody"}\n]\n', "line 3"),
    ],
)
def test_the_line_or_row_of_an_unknown_id_in_json_is_named(
    cli, run_folder: Path, tmp_path: Path, option: str, name: str, content: str, place: str
):
    path = tmp_path / name
    path.write_text(content)
    given = f"image:{path}" if option == "--modality" else path
    code, _, err = cli("unlearn", run_folder, "--user", "u00003", option, given, "--dry-run")
    assert (code, err.splitlines()[-1].startswith(f"error: {path}, {place}: ")) == (2, True), err


@pytest.mark.parametrize(
    ("option", "name", "content", "told"),
    [
        (
            "--users",
            "q.json",
            '{"users": ["u00001"],\n "users": ["u00002"]}',
            "line 1: 'users' occurs twice in one object",
        ),
        (
            "--users",
            "q.jsonl",
            '{"user": "u1"}\n{"user": "u2", "user": "u3"}\n',
            "line 2: 'user' occurs twice in one object",
        ),
        ("--items", "q.json", '[{"item": "i00001", "item": "i00002"}]', "line 1: 'item' occurs twice in one object"),
        (
            "--pairs",
            "q.jsonl",
            '{"user": "u1", "user": "u2", "item": "i1"}\n',
            "line 1: 'user' occurs twice in one object",
        ),
    ],
)
def test_a_name_that_occurs_twice_in_an_object_is_refused(
    cli, run_folder: Path, tmp_path: Path, option: str, name: str, content: str, told: str
):
    (tmp_path / name).write_text(content)
    code, _, err = cli("unlearn", run_folder, option, tmp_path / name, "--dry-run")
    assert (code, err) == (2, f"error: {tmp_path / name}, {told}\n")


def test_fields_of_a_request_that_no_option_reads_are_told(cli, run_folder: Path, tmp_path: Path):
    path = tmp_path / "request.json"
    path.write_text('{"users": ["u00001"], "items": ["i00001"], "modalities": {"image": null}, "pairs": []}')
    for options, left in (
        (("--users", path), ("items", "modalities")),
        (("--users", path, "--items", path), ("modalities",)),
    ):
        code, _, err = cli("unlearn", run_folder, *options, "--dry-run")
        assert (code, [field for field in ForgetRequest.model_fields if f"its {field} were passed over" in err]) == (
            0,
            list(left),
        )


def test_lists_in_several_rows_are_no_request(cli, run_folder: Path, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"user": "u00001", "items": ["i00001"]}\n{"user": "u00002", "items": ["i00001"]}\n')
    code, _, err = cli("unlearn", run_folder, "--users", path, "--dry-run")
    assert (code, "passed over" in err) == (0, False), err


def test_the_row_of_an_unknown_pair_in_parquet_is_named(cli, run_folder: Path, tmp_path: Path):
    pairs = load(run_folder).dataset
    user, item = (
        ids.names[int(rows[0])] for ids, rows in ((pairs.users, pairs.train.users), (pairs.items, pairs.train.items))
    )
    path = tmp_path / "q.parquet"
    pl.DataFrame({"item_id": [item, item], "user_id": [user, "nobody"], "why": ["", ""]}).write_parquet(path)
    code, _, err = cli("unlearn", run_folder, "--pairs", path, "--dry-run")
    assert (code, err.startswith(f"error: {path}, row 1: no such interaction")) == (2, True), err


def test_a_line_of_standard_input_is_named(cli, run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"u00001\nnobody\n")))
    code, _, err = cli("unlearn", run_folder, "--users", "-", "--dry-run")
    assert (code, err.startswith("error: standard input, line 2: unknown user id: nobody")) == (2, True), err


def test_ids_that_stand_in_no_file_have_no_line(cli, run_folder: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("u00001\n")
    code, _, err = cli("unlearn", run_folder, "--user", "nobody", "--users", tmp_path / "users.txt", "--dry-run")
    assert (code, err.startswith("error: unknown user id: nobody")) == (2, True)


def test_several_ids_in_one_option_are_explained(cli, run_folder: Path):
    code, _, err = cli("unlearn", run_folder, "--user", "u00001,u00002", "--dry-run")
    assert (code, err.endswith("'u00001,u00002' holds several ids: give each by itself\n")) == (2, True), err


def test_what_an_expression_selects_is_enough_where_all_named_ids_are_unknown(cli, run_folder: Path):
    category = load(run_folder).dataset.item_attributes["category"][0]
    given = ("--user", "nobody", "--ignore-unknown", "--where", f"category == '{category}'", "--dry-run")
    code, _, err = cli("unlearn", run_folder, *given)
    assert (code, "passed over, unknown: 1 user, nobody" in err) == (0, True), err


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("--set", "nonsense=1"), "unknown setting 'nonsense'"),
        (("--set", "step_scale=1e30"), "step_scale = 1e+30: input should be less than or equal to 100"),
        (("--method", "ascent", "--set", "learning_rate=1e9"), "learning_rate = 1e+09: should not be beyond 1,000,000"),
        (("--method", "nothing"), "unknown method 'nothing'"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(cli, run_folder: Path, given: tuple[str, ...], text: str):
    code, _, err = cli("unlearn", run_folder, "--user", "u00001", "--dry-run", *given)
    assert (code, text in err) == (2, True), err
