"""The benchmarks run, and their plain ways are the same mathematics. No figure of time is judged here."""

import copy
import json
import os
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import card, cases, every_kind, gpu, gpu_tables, latency, limits, phases, scale, verdicts
from benchmarks.counting import counted
from benchmarks.limits import Limits
from benchmarks.page import Table, write
from benchmarks.plain import PlainTraining, adjacency
from benchmarks.timing import Spread, in_child, interleaved, ratios
from benchmarks.training import MODELS
from benchmarks.verdict_trials import Trial, request, with_near_duplicate

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import RequiredInputs, build_inputs
from mmrecun.data.sparse import SparseMatrix, product
from mmrecun.models.base import Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.losses import training_loss

TINY = ("--sizes", "60", "40", "700", "--rounds", "1")
FURTHER = {
    "training": ("--batches", "64"),
    "evaluation": (),
    "graphs": (),
    "unlearning": ("--epochs", "1"),
    "latency": ("--epochs", "1"),
    "scale": (),
}
CPU = torch.device("cpu")


@pytest.mark.parametrize("subject", FURTHER)
def test_each_benchmark_leaves_its_tables(subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.delenv("MMRECUN_DATA", raising=False)
    monkeypatch.setattr(limits, "_SIDE", 64)
    monkeypatch.setattr(scale, "in_child", lambda function, *arguments: (function(*arguments), 1 << 30))
    import_module(f"benchmarks.{subject}").main([*TINY, *FURTHER[subject], "--out", str(tmp_path)])
    text = (tmp_path / f"{subject}.md").read_text()
    assert text.strip() == capsys.readouterr().out.strip()
    record = json.loads((tmp_path / f"{subject}.json").read_text())
    assert record["machine"]["versions"]["torch"]
    rows = [row for table in record["tables"] for row in table["rows"]]
    assert rows
    assert all(text.count("\n|") >= len(table["rows"]) + 2 for table in record["tables"])
    assert (subject == "scale") == (tmp_path / "scale.svg").exists()


def test_a_phase_that_is_never_reached_is_an_error_and_no_zero():
    with pytest.raises(RuntimeError, match="phase 'copy': copy was never called"):
        latency.phases(lambda: None, {"copy": [copy.copy]})
    assert latency.phases(lambda: copy.copy([1]), {"copy": [copy.copy]})["copy"] > 0


def test_an_empty_page_is_no_measurement(tmp_path: Path):
    with pytest.raises(SystemExit, match="nothing was measured"):
        write(tmp_path, "nothing", [Table("Nothing", [])])
    assert not list(tmp_path.iterdir())


def test_a_request_that_is_not_in_the_grid_is_refused():
    assert {name for _, name in verdicts.trials("baby bprmf")} == {"users5", "items5", "pairs5"}
    with pytest.raises(SystemExit, match="--only babe: no request"):
        verdicts.trials("babe")


def test_the_most_popular_items_and_those_with_a_near_duplicate_are_chosen(dataset: Dataset):
    degree = np.bincount(dataset.train.items, minlength=len(dataset.items))
    (popular,) = request(dataset, "popular0.01", Seed(0)).items
    assert degree[dataset.items.names.to_list().index(popular)] == degree.max()
    many = request(dataset, "popular10", Seed(0)).items
    chosen = np.isin(dataset.items.names.to_list(), many)
    assert chosen.sum() == round(len(degree) / 10)
    assert degree[chosen].min() >= degree[~chosen].max()

    rows = np.random.default_rng(0).normal(size=(20, 6))
    rows[[3, 11]] = rows[[4, 0]] + 1e-3  # the only near-duplicates; one of each two keeps its features
    near = with_near_duplicate(rows, 0.1).tolist()
    assert sorted({3: 4, 11: 0}.get(row, row) for row in near) == [0, 4]


def test_a_folder_without_the_known_datasets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MMRECUN_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="holds none of tiktok, baby"):
        cases.present()


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_way_has_the_same_loss_and_gradients(name: str, dataset: Dataset):
    kind = model_class(name)
    model = kind(kind.Config(dim=8), Sizes.of_dataset(dataset), Seed(0).torch())
    other = copy.deepcopy(model)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    triples = next(bpr_batches(dataset.train, sampler, 256, Seed(0).numpy()))
    ours = training_loss(model, model.batch_vectors(build_inputs(dataset, model.required_inputs(), CPU), triples))
    plain = PlainTraining(other, dataset, 1e-3).loss(triples)
    torch.testing.assert_close(plain, ours, rtol=1e-3, atol=0)
    ours.backward()
    plain.backward()
    for (_, mine), (called, theirs) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        gap = (mine.grad - theirs.grad).norm() / theirs.grad.norm().clamp(min=1e-9)
        assert gap < 0.02, called


def test_the_plain_graph_is_ours(dataset: Dataset):
    ours = build_inputs(dataset, RequiredInputs(user_item=True), CPU).user_item
    plain = adjacency(dataset.train, len(dataset.users), len(dataset.items))
    torch.testing.assert_close(plain.to_dense(), ours.forward.to_dense())


def test_all_take_turns_and_the_first_changes():
    calls: list[str] = []
    seconds = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2, warm=1)
    assert "".join(calls) == "baabba"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_spreads_are_quartiles_of_the_rounds():
    assert Spread.of([1, 2, 3, 4, 5]) == (3, 2, 4)
    assert ratios([2, 9], [1, 3]) == (2.5, 2.25, 2.75)
    assert str(Spread.of([1000.4])) == "1000 (1000-1000)"


def test_a_child_tells_its_result_and_its_own_peak():
    result, peak = in_child(np.ones, 20_000_000)
    assert result.sum() == 20_000_000
    assert peak > 160_000_000
    with pytest.raises(RuntimeError, match="exit code 3"):
        in_child(os._exit, 3)


def test_products_and_hops_are_counted():
    left, right = torch.ones(3, 4), torch.ones(4, 5)
    graph = SparseMatrix.of(np.eye(4, dtype=np.float32), CPU).forward
    found = counted(lambda: (left @ right, left.bfloat16() @ right.bfloat16(), product(graph, right)))
    assert found.flops == {torch.float32: 2 * 3 * 4 * 5, torch.bfloat16: 2 * 3 * 4 * 5}
    assert found.moved == 4 * (5 * 4 + 4 + 4) + 4 * 5 * 4
    shares = found.shares(Limits(dense_fp32=1, dense_bf16=2, copy=1, sparse=1))
    assert shares["dense"] == pytest.approx(1e-9 * 180 / found.seconds["dense"])
    assert counted(lambda: left + 1).shares(Limits(1, 1, 1, 1)) == {"dense": None, "hops": None}


def test_the_user_of_median_activity_is_found(dataset: Dataset):
    (name,) = request(dataset, "median0.01", Seed(0)).users
    degree = dataset.degrees[0]
    assert abs(degree[dataset.users.rows([name])[0]] - np.median(degree)) <= 0.5


def test_every_kind_of_request_is_judged_beside_golds_that_are_judged_too(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = {"epochs": 12, "dim": 8}
    trials = (Trial(str(data_folder), "bprmf", ("users5", "median0.01"), 2, (), settings),)
    monkeypatch.setattr(every_kind, "TRIALS", trials)
    monkeypatch.setattr(every_kind, "ORIGINALS", (6, 7))
    words = ["--kept", str(tmp_path / "kept"), "--out", str(tmp_path), "--only", "users5"]
    every_kind.main(words)
    (line,) = json.loads((tmp_path / "every_kind.json").read_text(encoding="utf-8"))["tables"][0]["rows"]
    assert (line["request"], line["Golds"]) == ("users5", 2)
    assert line["with Gold"].count(" of 2") == 2
    kept = json.loads(next((tmp_path / "kept" / "every_kind").iterdir()).read_text(encoding="utf-8"))
    assert [row["kind"] for row in kept] == ["gold", "gold", "method", "method"]
    assert kept[2]["before"] != kept[3]["before"]
    every_kind.main(words)  # reads what is kept
    assert json.loads((tmp_path / "every_kind.json").read_text(encoding="utf-8"))["tables"][0]["rows"] == [line]


def test_a_table_shows_what_does_not_apply():
    table = Table("Title", [{"name": "a", "s": Spread(1, 1, 2)}, {"name": "b", "s": None, "n": 1234}])
    assert table.markdown() == (
        "### Title\n\n| name | s | n |\n| --- | ---: | ---: |\n| a | 1 (1-2) | - |\n| b | - | 1,234 |\n"
    )


class Work:
    """What the phases of a test are made of."""

    @classmethod
    def outer(cls, numbers: torch.Tensor) -> float:
        doubled = numbers + numbers  # a launch; the views after it are none
        return cls.inner(doubled.T[0]) + doubled.sum().item()  # a launch, and the host waits for a number

    @staticmethod
    def inner(numbers: torch.Tensor) -> float:
        return float(numbers.exp().log().sum())  # three launches, and the host waits for a number


PLACES = {"outer": [(Work, "outer")], "inner": [(Work, "inner")]}


def test_launches_and_crossings_count_for_the_innermost_phase():
    numbers = torch.ones(3, 2)
    found = phases.counted(lambda: Work.outer(numbers.to(CPU)), PLACES)
    assert found.calls == {"outer": 1, "inner": 1}
    assert found.launches == {"outer": 2, "inner": 3}
    assert found.crossings == {"outer": 1, "inner": 1, phases.REST: 1}
    assert isinstance(vars(Work)["outer"], classmethod)
    assert Work.outer(numbers) == 18


def test_a_phase_of_an_unlearning_that_is_never_reached_is_an_error_and_no_zero():
    with pytest.raises(RuntimeError, match=r"never reached: outer; name in benchmarks/phases\.py"):
        phases.timed(lambda: Work.inner(torch.ones(2)), PLACES)


def test_the_script_for_a_card_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Each part, on small data without a card."""
    monkeypatch.setattr(limits, "_SIDE", limits._SIDE)  # a check makes it smaller
    for part in (part for part in gpu.SECONDS if part != "mmrec"):
        gpu.main(["--check", "--work", str(tmp_path / "work"), "--part", part])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert {"limits", "epoch", "fit", "bprmf", "step", "hop", "unlearning", "phase", "kernels", "solve"} <= {
        line["part"] for line in said
    }
    measured = {(line["model"], line["target"]) for line in said if line["part"] == "unlearning"}
    targets = ["pairs", "users", "items", "heavy"]
    assert measured == {(name, kind) for name in ("mgcn", "lightgcn", "bprmf") for kind in targets}
    products = [line for line in said if line["part"] == "phase" and line["phase"] == phases.CURVATURE]
    assert [line["target"] for line in products] == targets
    assert all(line["launches"] and line["seconds"] > 0 for line in products)
    shown = {table.title: table.markdown() for table in gpu_tables.tables(map(json.dumps, said))}
    assert "Not measured" not in shown
    assert set(shown) == {title for title, _ in gpu_tables.TABLES.values()} - {"MMRec, s", "Not measured"}
    assert "| mgcn | heavy |" in shown["Unlearning, s"]
    assert not [title for title, table in shown.items() if "| - |" in table]  # a column that no line has


def test_what_fails_on_a_card_costs_nothing_else(capsys):
    tried = card.Tried()
    for number in (0, 1):
        with tried(f"division by {number}"):
            card.say("solve", model="bprmf", captured=True, seconds=1 / number)
    with pytest.raises(SystemExit, match="failed: division by 0"):
        tried.end()
    failed, solved = sorted(gpu_tables.tables(capsys.readouterr().out.splitlines()), key=lambda table: table.title)[
        ::-1
    ]
    assert "| division by 0 | ZeroDivisionError: division by zero |" in failed.markdown()
    assert "| bprmf | yes |" in solved.markdown()


def test_without_a_card_nothing_is_measured_by_the_script_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA card was found"):
        gpu.main(["--data", str(tmp_path)])
