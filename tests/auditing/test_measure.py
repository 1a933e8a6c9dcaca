from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs
from mmrecun.auditing import setup
from mmrecun.auditing.measure import Measured, Subject, judged, measure_state
from mmrecun.auditing.setup import Probe, probe_of
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.forget.partition import Partition, partition, retain
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.runs import Run, load


def pairs_request(dataset: Dataset) -> ForgetRequest:
    train, users, items = dataset.train, dataset.users.names, dataset.items.names
    pairs = ((users[int(train.users[n])], items[int(train.items[n])]) for n in range(0, 300, 3))
    return ForgetRequest(pairs=tuple(pairs))


@pytest.fixture(scope="module")
def scene(dataset: Dataset) -> tuple[Partition, Probe, Subject, Measured]:
    parts = partition(dataset, retain(dataset, pairs_request(dataset)))
    probe = probe_of(parts)
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(dataset), Seed(4).torch())
    subject = Subject("unlearned", Path("run"), model, 7, 1.5)
    return parts, probe, subject, measure_state(subject, parts, probe)


def scores(subject: Subject, probe: Probe) -> np.ndarray:
    values = (subject.model.users.weight @ subject.model.items.weight.T).detach().numpy().astype(float)
    values[probe.seen.users, probe.seen.items] = -np.inf
    return values


def test_forget_figures_equal_a_loop_over_users(scene: tuple[Partition, Probe, Subject, Measured]):
    _, probe, subject, measured = scene
    values = scores(subject, probe)
    recalls = []
    for user in np.unique(probe.forgotten.users):
        wanted = set(probe.forgotten.items[probe.forgotten.users == user])
        recalls.append(len(wanted & set(np.argsort(-values[user])[:20])) / len(wanted))
    assert measured.forget_recall.tolist() == pytest.approx(recalls)
    assert measured.figures.forget["recall@20"] == pytest.approx(np.mean(recalls))

    def shares(users: np.ndarray, items: np.ndarray) -> list[float]:
        """Of the user's other unseen items, the share that a pair's item beats."""
        ranked = []
        for user, item in zip(users, items, strict=True):
            others = np.delete(values[user], item)
            others = others[np.isfinite(others)]
            ranked.append((others < values[user, item]).mean())
        return ranked

    forgotten = shares(probe.forgotten.users, probe.forgotten.items)
    controls = shares(probe.controls.users, probe.controls.items)
    wins = np.mean([[(p > c) + 0.5 * (p == c) for c in controls] for p in forgotten])
    assert measured.figures.auc == pytest.approx(wins, abs=1e-6)
    assert measured.figures.seed == 7


def test_retained_figures_equal_a_loop_and_split_into_affected_and_others(
    scene: tuple[Partition, Probe, Subject, Measured],
):
    parts, probe, subject, measured = scene
    test = parts.retained.interactions.part(Split.TEST)
    values = scores(subject, probe)
    recalls = {}
    for user in np.intersect1d(test.users, parts.retained.train.users):
        wanted = set(test.items[test.users == user])
        recalls[user] = len(wanted & set(np.argsort(-values[user])[:20])) / len(wanted)
    touched = set(probe.forgotten.users)
    assert measured.recall.tolist() == pytest.approx(list(recalls.values()))
    assert measured.figures.retain["recall@20"] == pytest.approx(np.mean(list(recalls.values())))
    for figures, inside in ((measured.figures.affected, True), (measured.figures.unaffected, False)):
        assert figures["recall@20"] == pytest.approx(
            np.mean([r for u, r in recalls.items() if (u in touched) == inside])
        )


def test_lists_hold_no_retained_pair_and_probabilities_add_up(scene: tuple[Partition, Probe, Subject, Measured]):
    parts, _, _, measured = scene
    rows = np.unique(parts.retained.train.users)
    owners = np.repeat(rows, measured.lists.shape[1])
    listed = measured.lists.ravel() >= 0
    train, items = parts.retained.train, len(parts.retained.items)
    assert not train.contains(owners[listed], measured.lists.ravel()[listed], items).any()
    assert measured.shares.sum(dim=1).tolist() == pytest.approx([1.0] * len(measured.shares))


def test_the_probe_holds_what_left_and_controls_that_were_never_trained_on(dataset: Dataset):
    parts = partition(dataset, retain(dataset, ForgetRequest(items=tuple(dataset.items.names[:4]))))
    probe = probe_of(parts)
    train, items = dataset.train, len(dataset.items)
    assert (probe.branch, probe.by) == ("", "users")
    assert set(probe.forgotten.items) <= {0, 1, 2, 3}
    assert len(probe.forgotten) == int((train.items < 4).sum())
    assert len(probe.seen) + len(probe.forgotten) == len(train)
    assert not train.contains(probe.controls.users, probe.controls.items, items).any()
    assert not train.contains(probe.random.users, probe.random.items, items).any()
    assert (np.flatnonzero(probe.affected) == np.unique(probe.forgotten.users)).all()


def test_neighbours_of_removed_users_are_the_affected(dataset: Dataset):
    parts = partition(dataset, retain(dataset, ForgetRequest(users=(dataset.users.names[0],))))
    probe = probe_of(parts)
    mine = set(dataset.train.items[dataset.train.users == 0])
    sharing = {int(u) for u, i in zip(dataset.train.users, dataset.train.items, strict=True) if i in mine and u != 0}
    assert set(np.flatnonzero(probe.affected)) == sharing
    assert probe.by == "items"


@pytest.fixture(scope="module")
def runs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Partition]:
    original = load(run_folder)
    out = tmp_path_factory.mktemp("measure") / "after"
    jobs.unlearn(original, ForgetRequest(items=tuple(original.dataset.items.names[:3])), out)
    after = load(out)
    return original, after, partition(original.dataset, after.dataset)


def subject(name: str, run: Run) -> Subject:
    return Subject(name, run.folder, run.model, run.manifest.seed, run.manifest.seconds)


def test_removed_items_are_exposed_before_any_filter_and_never_served(runs: tuple[Run, Run, Partition]):
    original, after, parts = runs
    probe = probe_of(parts)
    before, later = (
        measure_state(subject(*entry), parts, probe) for entry in (("original", original), ("gold", after))
    )
    assert before.figures.exposure["served"] == before.figures.exposure["top20"] > 0
    assert later.figures.exposure["top20"] > 0
    assert later.figures.exposure["served"] == 0


def test_the_original_is_asked_with_its_own_rows_and_lists_retained_items_only(runs: tuple[Run, Run, Partition]):
    original, _, parts = runs
    probe = probe_of(parts)
    measured = measure_state(subject("original", original), parts, probe)
    vectors = vectors_of(original.model, original.dataset)
    users, items = vectors.users[torch.from_numpy(parts.user_rows)], vectors.items[torch.from_numpy(parts.item_rows)]
    values = (users @ items.T).detach().numpy()
    values[parts.retained.train.users, parts.retained.train.items] = -np.inf
    rows = np.unique(parts.retained.train.users)
    assert (measured.lists[:, :3] == np.argsort(-values[rows], axis=1)[:, :3]).all()


def test_inputs_are_built_once_for_all_models_of_a_kind(
    runs: tuple[Run, Run, Partition], monkeypatch: pytest.MonkeyPatch
):
    _, after, parts = runs
    built: list[int] = []
    build = setup.build_inputs
    monkeypatch.setattr(setup, "build_inputs", lambda *args: built.append(1) or build(*args))
    probe = probe_of(parts)
    first = measure_state(subject("gold", after), parts, probe)
    count = len(built)
    second = measure_state(subject("unlearned", after), parts, probe)
    assert count == len(built) == 2
    assert first.figures.recognition == second.figures.recognition


def test_a_lost_modality_is_judged_by_its_branch(dataset: Dataset, runs: tuple[Run, Run, Partition]):
    parts = partition(dataset, retain(dataset, ForgetRequest(modalities={"image": tuple(dataset.items.names[:9])})))
    probe = probe_of(parts)
    assert probe.branch == "image"
    assert set(probe.forgotten.items) <= set(np.flatnonzero(parts.lost_features["image"]))
    vectors = vectors_of(runs[0].model, dataset)
    assert judged(vectors, probe) is vectors.branches["image"]
