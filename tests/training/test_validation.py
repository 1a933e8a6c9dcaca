"""The score that chooses epochs; data without validation pairs are refused before any training, with a way out."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.training.validation import validation_score
from tests.contracts.models import CPU, build, scores


def unseen(done: int, total: int, note: str) -> None:
    raise AssertionError("an epoch was trained")


def relabelled(dataset: Dataset, splits: np.ndarray) -> Dataset:
    pairs = dataset.interactions
    return dataset.with_interactions(Interactions(pairs.users, pairs.items, splits, pairs.attributes))


def test_the_score_is_the_mean_recall_of_all_users_or_of_those_that_are_named(dataset: Dataset):
    model = build("bprmf", dataset)
    inputs, valid = build_inputs(dataset, model.required_inputs(), CPU), dataset.interactions.split(Split.VALID)
    ranked = scores(model, dataset).detach().numpy()
    ranked[dataset.train.users, dataset.train.items] = -np.inf
    found = {
        user: np.isin(valid.items[valid.users == user], np.argsort(-ranked[user])[:20]).mean()
        for user in np.unique(valid.users)
    }
    assert validation_score(model, inputs, dataset) == pytest.approx(np.mean(list(found.values())))
    some = np.array(list(found))[::3]
    assert validation_score(model, inputs, dataset, some) == pytest.approx(np.mean([found[user] for user in some]))


def test_a_training_without_validation_pairs_is_refused_at_once(dataset: Dataset, tmp_path: Path):
    splits = dataset.interactions.splits
    files.save(relabelled(dataset, np.where(splits == Split.VALID, Split.TRAIN, splits)), tmp_path / "data")
    with pytest.raises(DataError, match=r"no validation pair .* import it again with a split") as caught:
        jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", progress=unseen)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_validation_pairs_of_users_without_training_pairs_do_not_count(dataset: Dataset, tmp_path: Path):
    pairs = dataset.interactions
    splits = np.where(pairs.users == 0, Split.VALID, np.where(pairs.splits == Split.VALID, Split.TRAIN, pairs.splits))
    files.save(relabelled(dataset, splits), tmp_path / "data")
    with pytest.raises(DataError, match="no validation pair of a user with training pairs"):
        jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", progress=unseen)


def test_forgetting_every_validation_pair_is_possible_but_nothing_can_be_trained_by_it(
    run_folder: Path, tmp_path: Path
):
    run = runs.load(run_folder)
    valid = run.dataset.interactions.split(Split.VALID)
    names = run.dataset.users.names.gather(valid.users), run.dataset.items.names.gather(valid.items)
    request = ForgetRequest(pairs=tuple(zip(*names, strict=True)))
    for method in ("retrain", "sisa", "receraser"):
        with pytest.raises(ForgetError, match=rf"the request leaves no validation pair .* '{method}' .* forget fewer"):
            jobs.unlearn(run, request, tmp_path / "gold", method, progress=unseen)
    assert not list(tmp_path.iterdir())
    jobs.unlearn(run, request, tmp_path / "after")
    assert not len(runs.load(tmp_path / "after").dataset.interactions.split(Split.VALID))
