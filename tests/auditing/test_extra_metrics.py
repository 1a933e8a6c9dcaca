from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs, runs
from mmrecun.auditing import extra_metrics as module
from mmrecun.auditing import fold_in as fold_module
from mmrecun.auditing import setup as inputs_module
from mmrecun.auditing.extra_metrics import extra_metrics, feature_fit
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.fold_in import fold_in
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.relearning import relearn_time
from mmrecun.auditing.setup import audit_setup
from mmrecun.data.interactions import Interactions
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes


def pairs(users: np.ndarray, items: np.ndarray) -> Interactions:
    return Interactions(users, items, np.zeros(len(users), dtype=np.int8))


def test_a_folded_in_row_solves_the_stated_least_squares():
    """One user with two pairs: the first is fitted, the second ranked; the same by a plain solve."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(30, 3)).astype(np.float32)
    common = items.T @ items / 30
    gram = common + 0.1 * np.diag(common).mean() * np.eye(3) + np.outer(items[4], items[4])
    scores = items @ np.linalg.solve(gram, items[4])
    others = np.delete(scores, [4, 11])
    expected = (others < scores[11]).mean()
    asked = pairs(np.array([2, 2]), np.array([4, 11]))
    assert fold_in(torch.zeros(5, 3), torch.from_numpy(items), asked, by_user=True) == pytest.approx(expected)
    assert fold_in(torch.from_numpy(items), torch.zeros(5, 3), asked, by_user=False) == pytest.approx(expected)
    assert fold_in(torch.zeros(5, 3), torch.from_numpy(items), pairs(np.array([2]), np.array([4])), True) is None


def test_rows_folded_in_blocks_are_those_of_single_solves(monkeypatch: pytest.MonkeyPatch):
    """Seven users with 1 to 7 pairs each, in blocks of two systems."""
    rng = np.random.default_rng(3)
    frozen = rng.normal(size=(30, 3))
    common = np.eye(3)
    known = pairs(np.repeat(np.arange(7), np.arange(1, 8)), np.concatenate([np.arange(n) * 4 for n in range(1, 8)]))
    monkeypatch.setattr(fold_module, "_BLOCK_BYTES", 8 * 9 * 2)
    fitted = fold_module._fitted(known, torch.from_numpy(frozen), torch.from_numpy(common), 7)
    for user in range(7):
        own = frozen[known.items[known.users == user]]
        np.testing.assert_allclose(fitted[user], np.linalg.solve(common + own.T @ own, own.sum(axis=0)))


def test_items_that_still_go_together_give_themselves_away():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(10), 10)
    reported = (rng.normal(size=(10, 8))[groups] + 0.1 * rng.normal(size=(100, 8))).astype(np.float32)
    untold = rng.normal(size=(100, 8)).astype(np.float32)
    taste = pairs(np.repeat(np.arange(10), 10), np.arange(100))
    assert fold_in(torch.zeros(10, 8), torch.from_numpy(reported), taste, True) > 0.9
    assert fold_in(torch.zeros(10, 8), torch.from_numpy(untold), taste, True) == pytest.approx(0.5, abs=0.1)


def test_fold_in_ranks_the_second_half_by_rows_of_a_ridge_regression_on_the_first():
    rng = np.random.default_rng(5)
    table, owned = rng.normal(size=(40, 6)), [np.sort(rng.permutation(40)[: 1 + number % 6]) for number in range(60)]
    common = table.T @ table / 40
    common += 0.1 * np.diag(common).mean() * np.eye(6)
    places = []
    for items in owned:
        first, second = items[::2], items[1::2]
        scores = table @ np.linalg.solve(common + table[first].T @ table[first], table[first].sum(axis=0))
        for item in second:
            others = np.delete(scores, [*first, item])
            places.append((others < scores[item]).mean())
    taste = pairs(np.repeat(np.arange(60), [len(items) for items in owned]), np.concatenate(owned))
    for by_user in (True, False):
        tables = torch.zeros(60, 6), torch.from_numpy(table).float()
        assert fold_in(*(tables if by_user else tables[::-1]), taste, by_user) == pytest.approx(np.mean(places))


def test_features_can_be_read_off_vectors_that_hold_them_only():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    lost = np.arange(400) < 60
    holding, free = features @ rng.normal(size=(3, 8)), rng.normal(size=(400, 8))
    assert feature_fit(holding, features, lost, ~lost) > 0.99
    assert abs(feature_fit(free, features, lost, ~lost)) < 0.1
    cleaned = np.where(lost[:, None], free, holding)
    assert feature_fit(cleaned, features, lost, ~lost) < 0
    assert feature_fit(free, features, lost, np.zeros(400, dtype=bool)) is None


def test_relearning_counts_steps_until_the_old_loss():
    weight = torch.nn.Parameter(torch.tensor(4.0))
    optimizer = torch.optim.SGD([weight], 0.25)

    def step() -> None:
        optimizer.zero_grad()
        weight.square().backward()
        optimizer.step()

    assert relearn_time(step, weight.item, target=0.5, most=10) == 3
    assert relearn_time(step, weight.item, target=0.5, most=10) == 0
    assert relearn_time(step, weight.item, target=-1, most=5) is None


def test_probes_of_real_runs(run_folder: Path, tmp_path: Path):
    original = runs.load(run_folder)
    request = ForgetRequest(users=("u00003", "u00007"), modalities={"image": tuple(original.dataset.items.names[:8])})
    jobs.unlearn(original, request, tmp_path / "after", "retrain")
    after = runs.load(tmp_path / "after")
    partition = Partition.between(original.dataset, after.dataset)
    setup = audit_setup(partition)
    states = {RunKind.ORIGINAL: original, RunKind.GOLD: after}
    found = {kind: extra_metrics(AuditedRun.of(kind, run), partition, setup) for kind, run in states.items()}
    expected = {"zrf", "features_r2 image"}
    expected |= {f"{name} {figure}" for name in ("image", "audio") for figure in ("forget_recall@20", "auc")}
    assert set(found["original"]) == set(found["gold"]) == expected
    assert found["gold"]["zrf"] > found["original"]["zrf"]
    assert found["gold"]["features_r2 image"] < found["original"]["features_r2 image"]


def test_an_untrained_model_has_retrained_as_much_as_nothing(run_folder: Path):
    """ZRF of the very model it is compared with is 1."""
    original = runs.load(run_folder)
    partition = Partition.from_request(original.dataset, ForgetRequest(users=("u00003",)))
    model = original.model
    fresh = type(model)(model.config, Sizes.of_dataset(original.dataset), inputs_module._UNTRAINED.torch())
    setup = audit_setup(partition)
    whole = setup.cache.padded_of(fresh)
    audited = AuditedRun(RunKind.ORIGINAL, original.folder, fresh, 0, 1.0)
    assert module.zero_retrain_forgetting(audited, whole, setup) == pytest.approx(1)
