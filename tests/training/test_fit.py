from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.errors import ArtifactError, DivergedError
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.fit import ResumePoint, TrainConfig, fit, should_stop, still_rising
from tests.contracts.models import CPU, build

CONFIG = TrainConfig(epochs=6, batch_size=128, learning_rate=0.01)


class KilledError(Exception):
    pass


def train(dataset: Dataset, resume: ResumePoint | None = None, kill_at: int = 0, sign: int = 1, seen=None):
    """`sign` 1 validates best at the last epoch, -1 at the first; `seen` collects the epochs that were run."""
    model = build("mgcn", dataset)
    inputs = build_inputs(dataset, model.required_inputs(), CPU)

    def report(done: int, total: int, note: str) -> None:
        if seen is not None:
            seen.append(done)
        if done == kill_at:
            raise KilledError

    def validate(current) -> float:
        return 1000 + sign * float(current.users.weight.detach().abs().sum())

    return model, fit(model, dataset, inputs, CONFIG, Seed(4), validate, report, resume)


@pytest.mark.parametrize(("sign", "best"), [(1, 6), (-1, 1)])
def test_a_resumed_training_equals_an_undisturbed_one(dataset: Dataset, tmp_path: Path, sign: int, best: int):
    whole, expected = train(dataset, sign=sign)
    resume = ResumePoint(tmp_path / "state", "key", every_seconds=0)
    with pytest.raises(KilledError):
        train(dataset, resume, kill_at=3, sign=sign)
    seen: list[int] = []
    resumed, result = train(dataset, resume, sign=sign, seen=seen)
    assert seen == [3, 4, 5, 6]
    assert expected.best_epoch == result.best_epoch == best
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    for row, other in zip(expected.history, result.history, strict=True):
        assert (row["loss"], row["valid"]) == (other["loss"], other["valid"])


def test_the_state_of_another_training_is_refused(dataset: Dataset, tmp_path: Path):
    with pytest.raises(KilledError):
        train(dataset, ResumePoint(tmp_path / "state", "key", every_seconds=0), kill_at=2)
    with pytest.raises(ArtifactError, match="other data, settings or seed"):
        train(dataset, ResumePoint(tmp_path / "state", "another"))


def test_it_stops_early_and_keeps_the_best_parameters(dataset: Dataset):
    model = build("bprmf", dataset)
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    kept: list[torch.Tensor] = []

    def validate(current) -> float:
        kept.append(current.users.weight.detach().clone())
        return next(scores)

    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    result = fit(
        model, dataset, inputs, TrainConfig(epochs=50, patience=2, patience_steps=0, batch_size=128), Seed(0), validate
    )
    assert (result.best_epoch, result.epochs, result.valid) == (2, 4, 0.5)
    assert torch.equal(model.users.weight, kept[1])


def test_the_last_epoch_is_validated_whatever_the_interval(dataset: Dataset):
    model = build("bprmf", dataset)
    config = TrainConfig(epochs=5, validate_every=2, batch_size=512)
    notes: list[str] = []
    inputs = build_inputs(dataset, model.required_inputs(), CPU)
    result = fit(model, dataset, inputs, config, Seed(0), lambda _: 1.0, lambda done, total, note: notes.append(note))
    assert [row["epoch"] for row in result.history if "valid" in row] == [2, 4, 5]
    assert ["best valid" in note for note in notes] == [False, True, True, True, True]
    assert notes[-1].endswith("best valid 1.0000 @ 2")


def test_a_learning_rate_beyond_all_bounds_is_an_error(dataset: Dataset):
    model = build("bprmf", dataset)
    config = TrainConfig(epochs=3, batch_size=128, learning_rate=1e30)
    with pytest.raises(DivergedError, match="lower learning_rate"):
        fit(model, dataset, build_inputs(dataset, model.required_inputs(), CPU), config, Seed(0), lambda _: 1.0)


def test_every_epoch_draws_its_own_negatives(dataset: Dataset):
    model = build("bprmf", dataset)
    config = TrainConfig(epochs=4, batch_size=128, learning_rate=1e-30)
    result = fit(model, dataset, build_inputs(dataset, model.required_inputs(), CPU), config, Seed(0), lambda _: 1.0)
    assert len({row["loss"] for row in result.history}) == 4


def progress(scores: list[float]) -> TrainState:
    best = max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))
    history = [{"epoch": epoch + 1, "valid": score} for epoch, score in enumerate(scores)]
    return TrainState(
        epoch=len(scores), best_epoch=best + 1, best_score=scores[best], best={"x": torch.ones(1)}, history=history
    )


def test_an_epoch_of_few_steps_is_waited_for_longer():
    config, flat = TrainConfig(patience=5, patience_steps=100), [0.3, *[0.2] * 10]
    assert should_stop(progress(flat), config, steps=10)
    assert not should_stop(progress(flat), config, steps=9)
    assert not should_stop(progress(flat[:5]), config, steps=1000)


def test_validation_that_falls_before_it_climbs_is_waited_for():
    config = TrainConfig(patience=20, patience_steps=0)
    falls = [0.07 - 0.003 * epoch for epoch in range(11)]
    assert should_stop(progress([*falls, *[0.04] * 10]), config, steps=20)
    assert not should_stop(progress([*falls, *[0.04 + 0.002 * epoch for epoch in range(10)]]), config, steps=20)
    assert should_stop(progress([*falls, *[0.04 + 0.0005 * (epoch % 2) for epoch in range(12)]]), config, steps=20)


@pytest.mark.parametrize(("patience", "width"), [(1, 3), (20, 5)])
def test_scores_rise_where_two_neighbouring_means_differ_by_two_errors(patience: int, width: int):
    rng, config, found = np.random.default_rng(0), TrainConfig(patience=patience), []
    for slope in rng.choice([-0.3, 0, 0.3], 200):
        scores = rng.normal(size=2 * width + 3) + slope * np.arange(2 * width + 3)
        before, after = scores[3 : 3 + width], scores[3 + width :]
        error = np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / width)
        found.append(bool(after.mean() - before.mean() > 2 * error))
        assert still_rising(scores.tolist(), config) == found[-1]
    assert 20 < sum(found) < 180
    assert not still_rising(list(range(2 * width - 1)), config)
