"""A sample of users: the same for every model, the touched ones always all there, and said aloud."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmrecun import jobs
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.sampling import FEWEST, SCORES, sample_size
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ConfigError
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.rng import Seed


def measured(dataset: Dataset, sample: int, seed: int = 4) -> tuple[Partition, AuditSetup, MeasuredRun]:
    train = dataset.train
    pairs = tuple(
        (dataset.users.names[int(train.users[n])], dataset.items.names[int(train.items[n])]) for n in (3, 300)
    )
    partition = Partition.from_request(dataset, ForgetRequest(pairs=pairs))
    setup = audit_setup(partition, sample)
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(dataset), Seed(seed).torch())
    return partition, setup, measure_state(AuditedRun(RunKind.UNLEARNED, Path("run"), model, 7, 1.5), partition, setup)


def test_a_sample_gives_the_figures_of_its_users(dataset: Dataset):
    _, whole, every = measured(dataset, 0)
    partition, setup, some = measured(dataset, 30)
    rows, drawn = setup.measured.rows, setup.measured.drawn
    touched = setup.affected[partition.user_rows[rows]]
    assert (int(drawn.sum()), setup.measured.of, whole.measured.of) == (30, 80, len(whole.measured.rows))
    assert (drawn | touched).all()
    assert touched.sum() == setup.affected.sum() == 2
    places = np.searchsorted(whole.measured.rows, rows)
    np.testing.assert_array_equal(some.lists, every.lists[places])
    np.testing.assert_array_equal(some.users_recall, every.users_recall[places])
    asked = every.users_recall[places[drawn]]
    assert some.figures.retain["recall@20"] == pytest.approx(np.nanmean(asked))
    assert len(some.recall) == int((~np.isnan(asked)).sum())
    assert (some.figures.affected, some.figures.forget) == (every.figures.affected, every.figures.forget)


def test_every_model_of_an_audit_is_measured_on_the_same_users(dataset: Dataset):
    first, second = (measured(dataset, 30, seed)[1].measured for seed in (4, 5))
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.drawn, second.drawn)


@pytest.mark.parametrize(
    ("users", "items", "sample", "size"),
    [
        (1000, 1000, None, 1000),
        (SCORES // 1000, 1000, None, SCORES // 1000),
        (SCORES // 1000 + 1, 1000, None, SCORES // 1000),
        (10_000_000, 10_000_000, None, FEWEST),
        (10_000_000, 10_000_000, 0, 10_000_000),
        (80, 50, 30, 30),
        (80, 50, 300, 80),
    ],
)
def test_the_size_of_a_sample(users: int, items: int, sample: int | None, size: int):
    assert sample_size(users, items, sample) == size


def test_a_negative_sample_is_refused():
    with pytest.raises(ConfigError, match="a sample of -1 users"):
        sample_size(80, 50, -1)


def test_a_sample_is_said_and_replaces_no_whole_audit(run_folder: Path, dataset: Dataset, tmp_path: Path):
    after = tmp_path / "after"
    jobs.unlearn(run_folder, ForgetRequest(users=(dataset.users.names[4],)), after, "unlink")
    some = jobs.audit(after, sample=30)
    assert (some.compared.sample, some.users["drawn"], some.users["all"]) == (30, 30, 79)
    assert some.users["measured"] >= 30
    assert any("a random sample of 30 of 79 users" in note for note in some.notes)
    assert json.loads((after / "audit.json").read_text())["users"]["drawn"] == 30
    assert "a random sample of 30 of 79 users" in (after / "report.html").read_text()
    whole = jobs.audit(after)
    assert (whole.compared.sample, whole.users["drawn"], whole.folder) == (0, 79, "")
    again = jobs.audit(after, sample=30)
    assert "sample30" in again.folder
    assert json.loads((after / "audit.json").read_text())["users"]["drawn"] == 79
