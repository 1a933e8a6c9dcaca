"""What a CUDA card would be given, traced on a stand-in: mixed devices, waits within captures, stale memory."""

import pytest
import torch
from benchmarks.phases import PHASES, Phases

from mmrecun.cuda_graph import CapturedCall
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest
from mmrecun.unlearning.base import Task, targets_of
from mmrecun.unlearning.mmrecun import level
from mmrecun.unlearning.mmrecun.method import MMRecUn, MMRecUnConfig
from mmrecun.unlearning.registry import METHODS, method_class
from tests.contracts.unlearning import TRAINING, Trained, task_of, trained_on
from tests.gpu.against_cpu import check_captured_solver, check_captured_training, check_unlearning, moved_to
from tests.gpu.stand_in import CARD, stand_in

# Triton's kernels would be given the addresses of the stand-in
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a card is here; test_card.py asks it")
TARGETS = {"bprmf": "pairs", "lightgcn": "users", "mgcn": "items"}


@pytest.fixture(scope="module", params=list(TARGETS))
def original(request: pytest.FixtureRequest, dataset: Dataset) -> Trained:
    return trained_on(dataset, request.param, TRAINING)


def test_a_request_on_the_card_gives_the_rows_of_the_cpu(original: Trained, request: pytest.FixtureRequest):
    target = TARGETS[request.node.callspec.params["original"]]
    with stand_in() as card:
        check_unlearning(original, target, CARD, close=0.02)
    assert card.graphs == 1  # for all Gauss-Newton steps


def test_captured_conjugate_gradients_are_the_plain_ones(original: Trained):
    with stand_in() as card:
        check_captured_solver(original, CARD)
    assert card.graphs == 1


def test_settling_and_a_small_request_run_on_the_card(original: Trained):
    """All that the test above leaves out; a small request moves single rows."""
    with stand_in() as card:
        task = moved_to(task_of(original, "pairs"), CARD)
        assert MMRecUn(MMRecUnConfig(min_cosine=-1)).run(task).history[-1]["loss"] > 0
        assert card.graphs == 2  # one more for training steps
        alone = moved_to(small(original), CARD)
        assert "moved alone" in MMRecUn(MMRecUnConfig(min_cosine=-1)).run(alone).stop_reason


@pytest.fixture(scope="module")
def briefly(dataset: Dataset) -> Trained:
    return trained_on(dataset, "mgcn", TRAINING.model_copy(update={"epochs": 2}))


BRIEF = {
    "sisa": {"shards": 2},
    "receraser": {"shards": 2, "pretraining": 1, "aggregation": 1},
    "obliviate": {"calibration": 1},
    **{key: {} for key in ("unlink", "reset", "retrain", "scif", "cova")},
}


@pytest.mark.parametrize("target", ["pairs", "some audio"])
@pytest.mark.parametrize("name", sorted(set(METHODS) - {"mmrecun"}))
def test_every_other_method_runs_on_the_card(briefly: Trained, name: str, target: str):
    """Without forgotten pairs, or without retained ones, a step has an empty part."""
    task, cls = task_of(briefly, target), method_class(name)
    if targets_of(task.partition) - cls.forgets:
        pytest.skip("this target is refused")
    with stand_in():
        assert cls(cls.Config.of(BRIEF.get(name, {"epochs": 1}))).run(moved_to(task, CARD)).stop_reason


def small(original: Trained) -> Task:
    users, items, train = original.dataset.users.names, original.dataset.items.names, original.dataset.train
    pair = users[int(train.users[0])], items[int(train.items[0])]
    return task_of(original, ForgetRequest(pairs=(pair,)))


# What the host asks the card for in a request for users, by phase, and a twentieth more: BPR-MF, LightGCN and MGCN.
# Phases that are left out have few.
LAUNCHES = {
    "gradient": (159, 262, 1125),
    "lean of rests": (0, 263, 263),
    "balance as trained": (26, 74, 140),
    "rest": (90, 80, 138),
    "validation": (100, 86, 208),
    "Gauss-Newton steps, the rest": (214, 201, 243),
    "conjugate gradients": (256, 306, 564),
    "curvature times a change": (53, 53, 267),
    "level": (456, 563, 1152),
    "SVD reference": (108, 108, 108),
    "settling": (171, 204, 795),
    "matching of rows": (333, 384, 552),
}


@pytest.mark.parametrize("name", ["bprmf", "lightgcn", "mgcn"])
def test_a_request_asks_the_card_for_no_more_than_it_did(dataset: Dataset, name: str, monkeypatch: pytest.MonkeyPatch):
    """Each launch takes the host far longer than it takes the card."""
    for limit, value in {"FEWEST": 5, "_FEWEST_OF_GROUP": 5, "_SPLIT_MARGIN": 0.3}.items():
        monkeypatch.setattr(level, limit, value)  # so that some pairs can be compared
    task, in_a_job = task_of(trained_on(dataset, name, TRAINING), "users"), ("load", "request", "save")
    found = Phases({phase: places for phase, places in PHASES.items() if phase not in in_a_job})
    with stand_in() as card:
        there = moved_to(task, CARD)
        card.launches.clear()
        card.phase = lambda: found.now
        with found.measured():
            MMRecUn(MMRecUnConfig(min_cosine=-1)).run(there)
    at_most = {phase: counts[list(TARGETS).index(name)] for phase, counts in LAUNCHES.items()}
    more = {phase: count for phase, count in card.launches.items() if count > at_most.get(phase, 80)}
    assert not more


@pytest.mark.parametrize("name", ["bprmf", "mgcn", "bm3"])
def test_captured_training_steps_are_the_plain_ones(dataset: Dataset, name: str):
    with stand_in() as card:
        check_captured_training(dataset, name, CARD)
    assert card.graphs == 1


def test_tensors_of_host_and_card_do_not_mix():
    with stand_in():
        there = torch.ones(3, 2, device=CARD)
        assert there.device == CARD
        assert (there + torch.tensor(1.0)).is_cuda  # a number may come from the host
        with pytest.raises(RuntimeError, match="tensors of both host and card"):
            there + torch.ones(3, 2)
        with pytest.raises(RuntimeError, match="tensors of both host and card"):
            there[torch.tensor([0])] = torch.ones(1, 2)
        with pytest.raises(RuntimeError, match=r"numpy\(\) is not supported"):
            there.numpy()
        with pytest.raises(RuntimeError, match="a generator of the host"):
            torch.rand(2, device=CARD, generator=torch.Generator())
        assert torch.rand(2, device=CARD, generator=torch.Generator(CARD).manual_seed(0)).cpu().sum() > 0


def captured(work) -> CapturedCall:
    call = CapturedCall(work, torch.cuda.Stream())
    call()
    return call


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda x: x.sum().item(), "_local_scalar_dense"),
        (lambda x: x[x > 0], "index"),
        (lambda x: x.cpu(), "copies to the host"),
        (lambda x: x + torch.ones(3).to(CARD), "copies to the card"),
    ],
)
def test_a_capture_reads_nothing_back(read, why: str):
    with stand_in():
        there = torch.ones(3, device=CARD)
        with pytest.raises(RuntimeError, match=f"within a captured graph: {why}"):
            captured(lambda: read(there))()


def test_a_replay_works_in_the_memory_of_its_capture():
    with stand_in():
        holder = [torch.ones(3, device=CARD)]
        total = torch.zeros(3, device=CARD)
        add = captured(lambda: total.add_(holder[0] * 2))
        add()
        holder[0].fill_(3.0)  # is seen, in place
        add()
        assert total.cpu().tolist() == [10.0] * 3
        holder[0] = torch.zeros(3, device=CARD)  # is not: the graph knows the old memory
        add()
        assert total.cpu().tolist() == [16.0] * 3
