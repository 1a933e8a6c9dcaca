"""What is printed: progress, ids as they are, lines no wider than the terminal."""

import json
import os
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from mmrecun import jobs, runs
from mmrecun.cli import output
from mmrecun.data.synthetic import SyntheticConfig
from mmrecun.jobs import _demo
from tests.report.made import report

main_module = import_module("mmrecun.cli.main")


def test_what_is_slow_to_load_is_loaded_where_it_is_needed_whatever_backend_a_notebook_exports(
    data_folder: Path, tmp_path: Path
):
    code = """
import sys
from mmrecun.cli import main
from mmrecun.jobs import train, unlearn, evaluate, recommend
print(*{'matplotlib', 'scipy.stats'} & set(sys.modules), file=sys.stderr)
main()
"""
    backend = {"MPLBACKEND": "module://nowhere.backend_inline"}
    words = [sys.executable, "-c", code, "data", "describe", data_folder, "--plot", tmp_path / "facts.png", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | backend)
    assert done.stderr == "\n"
    assert done.returncode == 0
    assert (tmp_path / "facts.png").stat().st_size > 1000


def test_progress_off_a_terminal_is_a_line_now_and_then(capsys):
    now = iter([0.0, 1.0, 4.9, 10.5, 20.0, 41.0])
    lines = output._Lines("training mgcn", lambda: next(now))
    for done in range(1, 6):
        lines.report(done, 50, f"loss {done}")
    assert capsys.readouterr().err.splitlines() == [
        "training mgcn: 3 of 50 (6%), 10.5 s  loss 3",
        "training mgcn: 5 of 50 (10%), 41.0 s  loss 5",
    ]


def test_an_evaluation_reports_how_far_it_is(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmrecun.evaluation.ranking._FEWEST", 16)
    monkeypatch.setattr("mmrecun.evaluation.ranking._BLOCK_BYTES", 1)
    reported: list[tuple[int, int]] = []
    report = jobs.evaluate(run_folder, progress=lambda done, total, _: reported.append((done, total)))
    assert len(reported) > 2
    assert reported[-1] == (report.users, report.users)


ODD = {"plain": "[red]A[/red] :bee: [/]", "lines": "one\ntwo\x1b[31m\x07", "backslash": "a\\[b]\\"}


@pytest.mark.parametrize("case", ODD)
def test_ids_and_titles_are_shown_as_they_are(case: str, capsys, monkeypatch: pytest.MonkeyPatch):
    text = ODD[case]
    visible = text.replace("\n", "\\n").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
    monkeypatch.setenv("COLUMNS", "120")
    output.rows_table([{"item": text, "score": 0.5}], text)
    output.facts_table({text: text, "list": [text], "empty": []}, text)
    output.bars([(text, 1)], text)
    output.print_line(text)
    with pytest.raises(SystemExit):
        main_module._refuse(text)
    captured = capsys.readouterr()
    assert captured.out.count(visible) == 9
    assert f"error: {visible}" in captured.err
    assert "\x1b" not in captured.out + captured.err


def test_programs_get_nested_facts_on_one_line(capsys):
    nested = {"a": {"b": {"c": 1234, "d": 0.5}}, "e": [], "f": True}
    output.print_json(nested)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == nested


def test_a_demo_prints_a_screenful(cli, tmp_path: Path, monkeypatch):
    def run_demo(out: Path, stage, raw: bool):
        with stage("1/1 doing nothing") as progress:
            progress(1, 2, "")
        runs = [str(out / name) for name in ("original", "forgotten", "gold-1", "gold-2")]
        result = {"report": f"{out}/forgotten/report.html", "runs": runs, "verdict": "passed", "seconds": 1.0}
        return result, report(2)

    monkeypatch.setattr(jobs, "run_demo", run_demo, raising=False)
    out = tmp_path / "demo"
    code, told, err = cli("demo", "--out", out)
    assert (code, err) == (0, "1/1 doing nothing\n")
    *lines, place, every_figure = told.splitlines()
    assert len(lines) < 25
    assert place == f"report: {out}/forgotten/report.html  (1.0 s in all)"
    assert every_figure == f"every figure: mmrecun audit {out}/forgotten --gold {out}/gold-1 --gold {out}/gold-2"


def test_a_demo_makes_what_it_names(cli, tmp_path: Path, monkeypatch):
    train = jobs.train

    def short(data, model, out, settings, **more):
        return train(data, model, out, settings | {"epochs": 2}, **more)

    small = {"users": 80, "items": 50, "interactions": 1200, "groups": 4, "width": 6}
    monkeypatch.setattr(_demo, "SyntheticConfig", partial(SyntheticConfig, **small))
    monkeypatch.setattr(jobs, "train", short)
    out = tmp_path / "demo"
    code, told, stages = cli("demo", "--out", out, "--json")
    assert (code, [line[:3] for line in stages.splitlines()]) == (0, ["1/5", "2/5", "3/5", "4/5", "4/5", "4/5", "5/5"])
    result = json.loads(told)
    named = ["original", "forgotten", "gold-1", "gold-2", "gold-3"]
    assert result["runs"] == [str(out / name) for name in named]
    opened = [runs.load(Path(run)) for run in result["runs"]]
    assert len({run.manifest.seed for run in opened[2:]}) == 3
    items = pl.read_parquet(out / "data" / "items.parquet")
    retained = items.filter((pl.col("licensor") != "Ember House") | (pl.col("year") >= 2012))["id"]
    assert 0 < len(retained) < len(items)
    assert all(run.dataset.items.names.to_list() == retained.to_list() for run in opened[1:])
    assert result["verdict"] == json.loads((out / "forgotten" / "audit.json").read_text())["verdict"]
    assert Path(result["report"]).stat().st_size > 1000


def test_nothing_printed_is_wider_than_a_terminal(cli, run_folder: Path, data_folder: Path, monkeypatch):
    monkeypatch.chdir(data_folder.parent)
    for arguments in (
        ("data", "describe", data_folder.name),
        ("plan", data_folder.name),
        ("recommend", run_folder, "--user", "u00001"),
        ("unlearn", run_folder, "--where", 'licensor == "Ember House"', "--dry-run"),
    ):
        code, out, _ = cli(*arguments, columns=80)
        assert code == 0
        assert max(map(len, out.splitlines()[1:])) <= 80
        assert "{" not in out
