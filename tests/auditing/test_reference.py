from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.auditing.checks import recognition_check
from mmrecun.auditing.figures import Recognition, RunKind
from mmrecun.auditing.keys import Kind
from mmrecun.auditing.measure import measure_state
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.setup import audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.rng import Seed

GROUPS, USERS, ITEMS = 8, 240, 160
SIZES = {"user": USERS, "item": ITEMS}


def grouped(drifting: bool) -> Dataset:
    """Give everybody ten training items of a group, and five held-out items of it, or of all where tastes drift."""
    rng = np.random.default_rng(0)
    users, items, splits = [], [], []
    for user in range(USERS):
        own = rng.permutation(np.arange(user % GROUPS, ITEMS, GROUPS))
        later = rng.permutation(np.setdiff1d(np.arange(ITEMS), own[:10])) if drifting else own[10:]
        users += [user] * 15
        items += [*own[:10], *later[:5]]
        splits += [Split.TRAIN] * 10 + [Split.VALID] * 2 + [Split.TEST] * 3
    order = np.lexsort([items, users])
    pairs = Interactions(*(np.array(column)[order] for column in (users, items)), np.array(splits, np.int8)[order])
    names = (
        IdMap.of(kind, [f"{kind}{n:03}" for n in range(size)]) for kind, size in (("user", USERS), ("item", ITEMS))
    )
    return Dataset("grouped", *names, pairs)


def asked(data: Dataset, kind: str) -> ForgetRequest:
    if kind == "users":
        return ForgetRequest(users=tuple(data.users.names[::6]))
    train = data.train.sample(240, np.random.default_rng(1))
    names = data.users.names.gather(train.users), data.items.names.gather(train.items)
    return ForgetRequest(pairs=tuple(zip(*names, strict=True)))


def recognised(data: Dataset, kind: str, memory: float) -> Recognition:
    """Measure a model that knows dimly who is in which group, and remembers the original training pairs by `memory`."""
    partition = Partition.from_request(data, asked(data, kind))
    model = BPRMF(BPRMF.Config(dim=GROUPS + USERS), Sizes.of_dataset(partition.retained), Seed(0).torch())
    users, items = (0.6 * torch.randn(rows, GROUPS + USERS, generator=Seed(1).torch()) for rows in (USERS, ITEMS))
    users[:, GROUPS:] = torch.eye(USERS)
    items[:, GROUPS:] = memory * torch.from_numpy(data.train.matrix(USERS, ITEMS).T.toarray())
    for rows in (users, items):
        rows[np.arange(len(rows)), np.arange(len(rows)) % GROUPS] += 1
    with torch.no_grad():
        model.users.weight.copy_(users[partition.user_rows])
        model.items.weight.copy_(items[partition.item_rows])
    audited = AuditedRun(RunKind.UNLEARNED, Path("run"), model, 0, 1.0)
    return measure_state(audited, partition, audit_setup(partition)).figures.recognition[Kind(kind)]


@pytest.mark.parametrize("kind", ["users", "interactions"])
def test_a_model_that_never_saw_a_pair_is_not_said_to_recognise_it_where_held_out_pairs_are_of_another_kind(kind: str):
    found = recognised(grouped(drifting=True), kind, memory=0.0)
    assert min(found.auc, found.reference_auc) > 0.65
    check = recognition_check(Kind(kind), found)
    assert (check.state, "by the retained pairs alone" in check.detail) == (Outcome.NOT_ASSESSED, True)


@pytest.mark.parametrize("kind", ["users", "interactions"])
@pytest.mark.parametrize("drifting", [False, True])
def test_a_model_at_chance_passes_only_where_the_data_alone_are_at_chance(kind: str, drifting: bool):
    """After a split by time it was pushed there: a model without the pairs is far above."""
    data = grouped(drifting)
    known = {"known_auc": 0.9, "known_share": 0.0, "known_share_low": 0.0, "known_share_high": 0.05}
    attack = {"attack_auc": 0.5, "attack_level": 0.5, "attack_auc_error": 0.01}
    sizes = {"pairs": 2000, "held_out": 2000, "place": 0.5}
    pushed = Recognition.of({"auc": 0.5, "auc_error": 0.01, **sizes, **known, **attack})
    assert recognition_check(Kind(kind), pushed).state is Outcome.PASSED
    references = audit_setup(Partition.from_request(data, asked(data, kind))).references
    found = references.beside(Kind(kind), pushed, torch.device("cpu"))
    assert (found.reference_auc > 0.65) == (abs(found.reference_auc - 0.5) > 0.08) == drifting
    assert recognition_check(Kind(kind), found).state is (Outcome.NOT_ASSESSED if drifting else Outcome.PASSED)


@pytest.mark.parametrize("kind", ["users", "interactions"])
def test_what_is_remembered_is_found_after_a_random_split(kind: str):
    data = grouped(drifting=False)
    clean, remembered = (recognised(data, kind, memory) for memory in (0.0, 1.0))
    assert clean.reference_auc is None
    assert recognition_check(Kind(kind), clean).state is not Outcome.FAILED
    assert remembered.auc > 0.65
    assert abs(remembered.reference_auc - 0.5) < 0.08
    assert recognition_check(Kind(kind), remembered).state is Outcome.FAILED
