"""Whole benches on tiny data: what is made, what is made again, and what goes wrong."""

import json
from pathlib import Path

import polars as pl
import pytest

from mmrecun import jobs, runs
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.bench.auditor import RunAuditor
from mmrecun.bench.cache import Cache
from mmrecun.bench.groups import groups
from mmrecun.bench.results import Row, Status
from mmrecun.bench.run import BenchPaths
from mmrecun.bench.run import run as run_planned
from mmrecun.bench.spec import BenchSpec, parse
from mmrecun.errors import ConfigError, DiskError, DivergedError
from mmrecun.forget.request import ForgetRequest
from mmrecun.progress import no_progress
from mmrecun.runs import Run
from mmrecun.unlearning.mmrecun.method import MMRecUn
from tests.cli.calling import call

SMALL = {"users": 50, "items": 40, "interactions": 700, "groups": 4, "width": 4}
TRAINING = {"epochs": 3, "batch_size": 128, "learning_rate": 0.02, "dim": 4}
BASE = {
    "name": "tiny",
    "seeds": [0, 1],
    "golds": 2,
    "datasets": [{"name": "made", "synthetic": SMALL}],
    "backbones": [{"model": "lightgcn", "settings": TRAINING}],
    "requests": [{"target": "users", "ratio": 0.1}, {"target": "items", "ratio": 0.1}],
    "methods": ["mmrecun", "unlink"],
}


def spec_of(**changes) -> BenchSpec:
    return parse({**BASE, **changes}, "tiny.toml")


def run(spec: BenchSpec, base: Path, where: BenchPaths, report=no_progress) -> list[Row]:
    return run_planned(groups(spec, base), where, report)


def place(folder: Path, **more) -> BenchPaths:
    return BenchPaths(folder, Cache(more.pop("cache", folder / "cache")), **more)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every run that is really made, as `train` or the method's name with its seed."""
    log: list[str] = []
    train, unlearn = jobs.train, jobs.unlearn

    def counted_train(*args, **kwargs):
        log.append("train")
        return train(*args, **kwargs)

    def counted_unlearn(opened, request, out, method, settings=None, seed=0, progress=None):
        log.append(f"{method} {seed}")
        return unlearn(opened, request, out, method, settings, seed, progress)

    monkeypatch.setattr(jobs, "train", counted_train)
    monkeypatch.setattr(jobs, "unlearn", counted_unlearn)
    return log


def statuses(rows: list[Row], method: str) -> set[str]:
    return {row.status.value for row in rows if row.method == method}


def test_everything_is_made_once_and_nothing_twice(made: list[str], tmp_path: Path):
    spec = spec_of()
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert made.count("train") == 2
    assert made.count("retrain 1000") == made.count("retrain 1001") == 2
    assert sum(entry.startswith("mmrecun") for entry in made) == 4
    assert len(made) == 2 + 4 + 8
    assert len(rows) == 2 * (2 + 2 + 4)
    assert {row.status for row in rows} == {Status.DONE}
    again = run(spec, tmp_path, place(tmp_path / "out"))
    assert len(made) == 14
    assert again == rows
    assert not list((tmp_path / "out").glob("runs/*"))
    assert not list((tmp_path / "out").glob("cache/rows/*"))


def test_rows_say_what_the_audit_says(made: list[str], tmp_path: Path):
    spec = spec_of(seeds=[0], requests=BASE["requests"][:1], methods=["mmrecun"], keep_runs=True)
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    (row,) = [row for row in rows if row.method == "mmrecun"]
    (kept,) = (tmp_path / "out" / "runs").glob("*/1")
    golds = sorted((tmp_path / "out" / "cache" / "golds").iterdir())
    report = jobs.audit(kept, golds)
    after = report.measurements("unlearned")
    assert row.retain_recall == after.retain["recall@20"]
    assert row.forget_recall == after.forget["recall@20"]
    assert row.membership_auc == after.auc
    assert row.matched_auc == after.auc_matched
    assert row.gap_forget_recall == pytest.approx(report.gap["forget_recall@20"].difference)
    assert row.verdict_without_gold == report.verdict_without_gold
    assert row.verdict_against_gold == report.verdict_against_gold
    assert row.overlap == pytest.approx(report.likeness["overlap@20"].unlearned)
    assert row.seconds == runs.read_manifest(kept).seconds
    seconds = [runs.read_manifest(gold).seconds for gold in golds]
    assert row.gold_seconds == pytest.approx(sum(seconds) / 2)
    assert row.speedup_over_gold == pytest.approx(row.gold_seconds / row.seconds)
    assert row.peak_memory is None or row.peak_memory > 50 << 20
    first = next(row for row in rows if row.method == "gold")
    other = runs.read_manifest(golds[1])
    assert first.seed == 1000
    assert other.seed == 1001
    assert first.verdict_against_gold is not None


FULL = DiskError("out: cannot be written: No space left on device")


@pytest.mark.parametrize(
    ("end", "begun", "in_all"),
    [
        (KeyboardInterrupt(), 1, 5),
        (KeyboardInterrupt(), 2, 5),
        (KeyboardInterrupt(), 4, 5),
        (KeyboardInterrupt(), 3, 4),
        (FULL, 2, 5),
        (FULL, 4, 5),
    ],
)
def test_a_bench_that_was_ended_makes_only_what_is_missing(
    made: list[str], tmp_path: Path, end: BaseException, begun: int, in_all: int
):
    """Ended in the midst of an Original, a Gold or a method, that run is made again; after a row, none is."""
    spec = spec_of(seeds=[0], golds=1, requests=BASE["requests"][:1], methods=["unlink", "amnesiac"])

    def stop(done: int, total: int, note: str) -> None:
        if len(made) == begun:
            raise end

    with pytest.raises(type(end)):
        run(spec, tmp_path, place(tmp_path / "out"), stop)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("rows/*")}
    assert bool(before) == (begun > 2)
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert {row.status for row in rows} == {Status.DONE}
    assert len(rows) == 4
    assert len(made) == in_all
    assert all((tmp_path / "out" / "rows" / name).read_bytes() == content for name, content in before.items())


def test_a_cache_is_shared_but_gives_no_speed_up(made: list[str], tmp_path: Path):
    spec = spec_of(requests=BASE["requests"][:1], methods=["unlink"], seeds=[0])
    run(spec, tmp_path, place(tmp_path / "one", cache=tmp_path / "cache"))
    count = len(made)
    rows = run(spec, tmp_path, place(tmp_path / "two", cache=tmp_path / "cache"))
    assert made[count:] == ["unlink 0"]
    (row,) = [row for row in rows if row.method == "unlink"]
    assert row.gold_seconds is not None
    assert row.speedup_over_gold is None


def test_other_settings_are_other_rows(made: list[str], tmp_path: Path):
    spec = spec_of(requests=BASE["requests"][:1], methods=["unlink"], seeds=[0])
    run(spec, tmp_path, place(tmp_path / "out"))
    count = len(made)
    changed = [{"method": "mmrecun", "name": "unlink", "settings": {"negatives": 32}}]
    run(spec_of(requests=BASE["requests"][:1], methods=changed, seeds=[0]), tmp_path, place(tmp_path / "out"))
    assert made[count:] == ["mmrecun 0"]
    more = [{"model": "lightgcn", "settings": {**TRAINING, "epochs": 2}}]
    run(
        spec_of(requests=BASE["requests"][:1], methods=["unlink"], seeds=[0], backbones=more),
        tmp_path,
        place(tmp_path / "out"),
    )
    assert made[count + 1 :] == ["train", "retrain 1000", "retrain 1001", "unlink 0"]


def test_failures_and_what_cannot_be_done_are_rows(made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(self, task):
        raise DivergedError("the loss became nan")

    requests = [{"target": "modality", "modality": "audio", "ratio": 0.2}, BASE["requests"][0]]
    backbones = [{"model": "vbpr", "settings": TRAINING}, BASE["backbones"][0]]
    spec = spec_of(requests=requests, backbones=backbones, seeds=[0], golds=1, methods=["mmrecun", "amnesiac"])
    with monkeypatch.context() as patch:
        patch.setattr(MMRecUn, "run", broken)
        rows = run(spec, tmp_path, place(tmp_path / "out"))
    by = {(row.model, row.target, row.method): row for row in rows}
    assert by["vbpr", "modality", "amnesiac"].status is Status.NOT_APPLICABLE
    assert "does not forget modalities" in by["vbpr", "modality", "amnesiac"].reason
    assert by["lightgcn", "modality", "gold"].reason == "'lightgcn' does not read the modality 'audio'"
    assert by["vbpr", "users", "mmrecun"].status is Status.FAILED
    assert by["vbpr", "users", "mmrecun"].reason == "the loss became nan"
    assert by["vbpr", "users", "amnesiac"].status is Status.DONE
    count = len(made)
    assert statuses(run(spec, tmp_path, place(tmp_path / "out")), "mmrecun") == {"failed", "not applicable"}
    assert len(made) == count
    mended = run(spec, tmp_path, place(tmp_path / "out", retry=True))
    assert statuses(mended, "mmrecun") == {"done", "not applicable"}
    assert [entry.split()[0] for entry in made[count:]] == ["mmrecun"] * 3


def test_a_run_that_cannot_be_audited_has_a_row_that_says_why(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    report = RunAuditor.report

    def failing(self: RunAuditor, original: Run, run: Run) -> AuditReport:
        if run.manifest.method == "unlink":
            raise ValueError("scores cannot be ranked")
        return report(self, original, run)

    monkeypatch.setattr(RunAuditor, "report", failing)
    spec = spec_of(seeds=[0], golds=1, requests=BASE["requests"][:1], methods=["unlink", "reset"])
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert [row.method for row in rows] == ["original", "gold", "unlink", "reset"]
    assert [row.status for row in rows] == [Status.DONE, Status.DONE, Status.FAILED, Status.DONE]
    assert "scores cannot be ranked" in rows[2].reason


def test_a_sequence_is_judged_after_every_quarter_against_its_own_gold(made: list[str], tmp_path: Path):
    spec = spec_of(
        requests=[{"target": "users", "strategy": "sequence", "requests": 4}], seeds=[0], golds=1, methods=["unlink"]
    )
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    of_method = [row for row in rows if row.method == "unlink"]
    assert [row.requests for row in of_method] == [1, 2, 3, 4]
    assert {row.status for row in of_method} == {Status.DONE}
    assert {row.verdict_against_gold for row in of_method} <= set(Outcome)
    assert made == ["train", *["retrain 1000"] * 4, *["unlink 0"] * 4]
    forgotten = [
        runs.read_manifest(gold).forgotten["users"] for gold in (tmp_path / "out" / "cache" / "golds").iterdir()
    ]
    assert sorted(forgotten) == [1, 2, 3, 4]
    assert not [row for row in of_method if "residue" in row.failed_checks]


def test_gold_of_spam_is_gold_of_the_clean_data(made: list[str], tmp_path: Path):
    requests = [{"target": "users", "strategy": "spam", "ratio": 0.1, "promoted": 2}]
    spec = spec_of(requests=requests, seeds=[0], golds=1, methods=["unlink"])
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert {row.status for row in rows} == {Status.DONE}
    cache = Cache(tmp_path / "out" / "cache")
    (gold,) = (tmp_path / "out" / "cache" / "golds").iterdir()
    clean = runs.load(gold).dataset
    jobs.train(cache.data(clean), "lightgcn", tmp_path / "trained", TRAINING, seed=1000)
    assert runs.weights_digest(tmp_path / "trained") == runs.weights_digest(gold)


def test_a_request_that_fits_no_dataset_is_a_mistake(tmp_path: Path):
    spec = spec_of(requests=[{"target": "modality", "modality": "adio", "ratio": 0.2}])
    with pytest.raises(ConfigError, match=r"requests\[0\]: unknown modality 'adio'; did you mean 'audio'"):
        run(spec, tmp_path, place(tmp_path / "out"))
    both = [BASE["datasets"][0], {"name": "mute", "synthetic": {**SMALL, "modalities": ["image"]}}]
    requests = [{"target": "modality", "modality": "audio", "ratio": 0.2}]
    spec = spec_of(requests=requests, datasets=both, seeds=[0], golds=1, methods=["unlink"],
                   backbones=[{"model": "vbpr", "settings": TRAINING}])  # fmt: skip
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert {row.status for row in rows if row.dataset == "mute"} == {Status.NOT_APPLICABLE}
    assert {row.status for row in rows if row.dataset == "made"} == {Status.DONE}


def test_a_request_for_everything_stops_no_other(tmp_path: Path):
    """Of 50 users 99 per cent are all, of 80 users they are not."""
    requests = [{"target": "users", "ratio": 0.1}, {"target": "users", "ratio": 0.99}]
    with pytest.raises(ConfigError, match=r"tiny: requests\[1\]: the request leaves no training interaction"):
        run(spec_of(requests=requests), tmp_path, place(tmp_path / "out"))
    both = [BASE["datasets"][0], {"name": "more", "synthetic": {**SMALL, "users": 80}}]
    spec = spec_of(requests=requests, datasets=both, seeds=[0], golds=1, methods=["unlink"])
    rows = run(spec, tmp_path, place(tmp_path / "out"))
    assert {row.status for row in rows if row.request == "users random 0.1"} == {Status.DONE}
    emptied = [row for row in rows if row.dataset == "made" and row.request == "users random 0.99"]
    assert {row.status for row in emptied} == {Status.NOT_APPLICABLE}
    assert "leaves no training interaction" in emptied[0].reason


TOML = """
name = "tiny"
seeds = [0]
golds = 2
backbones = [{ model = "lightgcn", settings = { epochs = 3, batch_size = 128, learning_rate = 0.02, dim = 4 } }]
methods = ["mmrecun", "unlink"]
[[datasets]]
name = "made"
synthetic = { users = 50, items = 40, interactions = 700, groups = 4, width = 4 }
[[requests]]
target = "pairs"
ratio = 0.05
"""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tiny.toml").write_text(TOML)
    arguments = ("bench", tmp_path / "tiny.toml", "--out", tmp_path / "out")
    code, out, err = call(capsys, monkeypatch, *arguments, "--json")
    assert code == 0, err
    result = json.loads(out)
    contract = (
        "dataset model target strategy ratio method seed retain_recall@20 forget_recall@20 membership_auc seconds"
    )
    assert all({*contract.split(), "speedup_over_gold"} <= row.keys() for row in result["rows"])
    assert len(result["rows"]) == 5
    assert result["nearest"][0]["method"] in ("mmrecun", "unlink")
    assert result["agreement"]["all"]["rows"] <= 2
    assert pl.read_parquet(tmp_path / "out" / "rows.parquet").height == 5
    for name in ("table.md", "table.tex", "bench.json", "plots/trade-off-1.svg", "plots/times.png"):
        assert (tmp_path / "out" / name).stat().st_size > 100
    page = (tmp_path / "out" / "bench.html").read_text()
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    code, out, _ = call(capsys, monkeypatch, *arguments)
    assert code == 0
    assert "made, lightgcn: pairs random 0.05" in out
    assert str(tmp_path / "out" / "bench.html") in out


def test_mistakes_at_the_command_line_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "bad.toml").write_text(TOML.replace("seeds", "sedes"))
    monkeypatch.delenv("MMRECUN_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (("quik", "--out", "x"), "did you mean 'quick'"),
        (("bad.toml", "--out", "x"), "bad.toml: sedes: unknown key 'sedes'; did you mean 'seeds'?"),
        (("quick", "--out", "full"), "exists and is not a bench"),
        (("tiktok", "--out", "x"), "dataset 'tiktok' is not at tiktok; put it there"),
    ):
        code, out, err = call(capsys, monkeypatch, "bench", *arguments)
        assert (code, out, len(err.strip().splitlines())) == (2, "", 1), err
        assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml", "full"]


def test_a_gold_is_another_row_beside_another_original(tmp_path: Path):
    def digests(seeds: list[int]) -> dict[tuple[str, int], str]:
        group = groups(spec_of(seeds=seeds, requests=BASE["requests"][:1]), tmp_path)[0]
        return {(key.method, key.seed): digest for key, digest in group.row_digests().items()}

    one, other = digests([0, 1]), digests([1, 0])
    assert {method for method, seed in one if one[method, seed] != other[method, seed]} == {"gold"}


def test_requests_do_not_depend_on_names_or_other_seeds(tmp_path: Path):
    def steps(**changes) -> tuple[ForgetRequest, ...]:
        return groups(spec_of(**changes), tmp_path)[0].scenario.steps

    named = [{**BASE["requests"][0], "name": "people"}]
    assert steps() == steps(seeds=[5], golds=1, requests=named)
    assert steps() != steps(request_seed=12)
