from dataclasses import replace

import numpy as np
import pytest
import torch

from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, Partition, partition, retain
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.fading import Fade, kept_shares
from mmrecun.unlearning.mmrecun import MMRecUn, MMRecUnConfig, lost_knowledge, single_pairs
from mmrecun.unlearning.pushing import PushedPairs
from mmrecun.unlearning.standing import Contest, TooHigh
from mmrecun.unlearning.touched import Touched
from tests.contracts.unlearning import TRAINING, Trained, UnlearnerContract, requests, validate

MODALITIES = ("image", "audio")


class TestMMRecUn(UnlearnerContract):
    name = "mmrecun"
    settings = {"refit": 10}


def taken_out(dataset: Dataset, kind: str) -> Partition:
    return partition(dataset, retain(dataset, requests(dataset)[kind]))


def unlearned(trained: Trained, parts: Partition, **settings):
    task = Task(trained.model, parts, TRAINING, Seed(4), validate)
    return MMRecUn(MMRecUnConfig(**settings)).run(task)


@pytest.mark.parametrize("kind", ["users", "items", "pairs", "some audio", "mixed"])
def test_rows_that_the_request_did_not_touch_keep_their_bits(trained: Trained, kind: str):
    parts = taken_out(trained.dataset, kind)
    kept = kept_shares(parts, MODALITIES, Fade(64, 24, 1))
    model = unlearned(trained, parts).model
    assert kept.touched("users").any() or kept.touched("items").any()
    for name, value in model.state_dict().items():
        before = trained.model.state_dict()[name]
        if name not in model.tables():
            assert torch.equal(value, before), name
            continue
        table = model.tables()[name]
        rows = parts.user_rows if table.of == "users" else parts.item_rows
        untouched = torch.from_numpy(~kept.touched(table.of)[rows])
        assert torch.equal(value[untouched], before[torch.from_numpy(rows)][untouched]), name
        if table.modality is None:
            assert not (value[~untouched] == before[torch.from_numpy(rows)][~untouched]).all(dim=1).any(), name


def test_pushing_brings_forgotten_pairs_down_and_stops(trained: Trained):
    parts = taken_out(trained.dataset, "pairs")
    result = unlearned(trained, parts, user_fade=0.01, item_fade=0.01, refit=1, worth=0, rounds=40, push_rate=5e-3)
    found = [row["auc"] for row in result.history if row.get("auc") is not None]
    assert len(found) > 1
    assert found[-1] < found[0]
    assert result.stop.startswith("faded; forgotten pairs stand like held-out ones")
    few = unlearned(trained, parts, user_fade=0.01, item_fade=0.01, refit=1, worth=0, rounds=0)
    assert few.stop.startswith("faded; 0 rounds; AUC 0.")


def test_items_that_leave_have_their_users_refitted_where_that_shows(trained: Trained):
    parts = taken_out(trained.dataset, "items")
    refitted, left = unlearned(trained, parts), unlearned(trained, parts, worth=1.0)
    steps = MMRecUnConfig().refit
    assert all("auc" not in row for row in refitted.history[:steps])
    assert refitted.history[steps - 1]["loss"] < refitted.history[0]["loss"]
    assert not left.history
    assert not torch.equal(refitted.model.users.weight, left.model.users.weight)
    assert torch.equal(refitted.model.items.weight, left.model.items.weight)


def test_lost_features_leave_no_row_to_refit(trained: Trained):
    result = unlearned(trained, taken_out(trained.dataset, "some audio"), worth=0.0)
    assert not result.history
    assert result.stop == "faded"


def test_rates_that_are_far_too_high_are_named(trained: Trained):
    with pytest.raises(DivergedError, match="lower refit_rate"):
        unlearned(trained, taken_out(trained.dataset, "pairs"), refit_rate=1e30)


def test_how_much_users_have_lost_is_a_share_of_all_pairs(trained: Trained):
    parts = taken_out(trained.dataset, "items")
    kept = kept_shares(parts, MODALITIES, Fade(2, 2, 1))
    train, items = trained.dataset.train, set(parts.forgotten.items.tolist())
    total = 0.0
    for user in range(len(trained.dataset.users)):
        mine = train.items[train.users == user]
        total += len(mine) * (1 - (1 - sum(int(item) in items for item in mine) / max(len(mine), 1)) ** 2)
    assert lost_knowledge(parts, kept, "users") == pytest.approx(total / len(train))


def test_without_validation_pairs_nothing_is_pushed(trained: Trained):
    pairs = trained.dataset.interactions
    bare = replace(trained.dataset, interactions=pairs.select(pairs.splits != Split.VALID))
    result = unlearned(trained, taken_out(bare, "pairs"))
    assert "no validation pair" in result.stop
    assert all("auc" not in row for row in result.history)


@pytest.mark.parametrize(("kind", "of"), [("users", "items"), ("items", "users")])
def test_ties_of_those_who_left_are_loosened_to_where_held_out_ones_are(trained: Trained, kind: str, of: str):
    parts = taken_out(trained.dataset, kind)
    whole = {"user_fade": 1e-9, "item_fade": 1e-9, "refit": 1, "worth": 0, "tie_margin": 0, "rounds": 60}
    result = unlearned(trained, parts, **whole)
    found = [row["auc"] for row in result.history if "auc" in row]
    assert len(found) > 1
    assert found[-1] < found[0]
    assert f"ties between {of} stand like held-out ones" in result.stop
    assert "ties" not in unlearned(trained, parts, worth=1.0).stop


def test_a_request_for_all_kinds_loosens_and_pushes(trained: Trained):
    kinds = requests(trained.dataset)
    whole = ForgetRequest(users=kinds["users"].users, items=kinds["items"].items, pairs=kinds["pairs"].pairs)
    stop = unlearned(trained, partition(trained.dataset, retain(trained.dataset, whole)), worth=0).stop
    assert all(what in stop for what in ("ties between items", "ties between users", "forgotten pairs"))


def test_the_last_round_goes_as_far_as_needed(trained: Trained):
    """Looked at afresh, what was pushed stands where it should, give or take the bend of the way."""
    parts = taken_out(trained.dataset, "pairs")
    settings = {"user_fade": 0.01, "item_fade": 0.01, "refit": 1, "worth": 0, "push_rate": 0.05, "margin": 0}
    task = Task(trained.model, parts, TRAINING, Seed(4), validate)
    work = Touched(task, kept_shares(parts, MODALITIES, Fade(0.01, 0.01, 1)), single_pairs(parts), 256)
    what = PushedPairs(work, single_pairs(parts), 0.2, 0.05, 0.0)
    what.level = what.alike = 0.4
    history: list[dict[str, float]] = []
    stop = MMRecUn(MMRecUnConfig(**settings))._push(work, what, history)
    assert "stand like held-out ones (AUC 0.400)" in stop
    assert history[-1]["auc"] < 0.4
    assert abs(what.look()[0] - 0.4) < abs(history[-1]["auc"] - 0.4)


def test_where_none_stands_too_high_none_is_pushed(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    """Among few candidates a difference may be too small for any pair to have a rival."""

    def none(self, forgotten, controls):
        return TooHigh(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), 0.9)

    monkeypatch.setattr(Contest, "too_high", none)
    for kind, of in (("pairs", "forgotten pairs"), ("users", "ties between items")):
        result = unlearned(trained, taken_out(trained.dataset, kind), worth=0)
        assert f"{of} stand like held-out ones (AUC 0.900)" in result.stop
        assert all(weight.isfinite().all() for weight in result.model.state_dict().values())


def test_little_that_was_lost_is_not_worth_a_pass_over_the_graph(trained: Trained):
    parts = taken_out(trained.dataset, "users")
    lost = lost_knowledge(parts, kept_shares(parts, MODALITIES, Fade(64, 24, 1)), "items")
    assert "ties" in unlearned(trained, parts, worth=0.99 * lost).stop
    assert unlearned(trained, parts, worth=1.01 * lost).stop == "faded; the graph refills the rows"
