from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun import jobs
from mmrecun.auditing import fold_in
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun, scored_vectors
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Sizes, Vectors
from mmrecun.models.bprmf import BPRMF
from mmrecun.models.inference import vectors_of
from mmrecun.rng import Seed
from mmrecun.runs import Run, load


def pairs_request(dataset: Dataset) -> ForgetRequest:
    train, users, items = dataset.train, dataset.users.names, dataset.items.names
    pairs = ((users[int(train.users[n])], items[int(train.items[n])]) for n in range(0, 300, 3))
    return ForgetRequest(pairs=tuple(pairs))


@pytest.fixture(scope="module")
def scene(dataset: Dataset) -> tuple[Partition, AuditSetup, AuditedRun, MeasuredRun]:
    partition = Partition.from_request(dataset, pairs_request(dataset))
    setup = audit_setup(partition)
    model = BPRMF(BPRMF.Config(dim=4), Sizes.of_dataset(dataset), Seed(4).torch())
    audited = AuditedRun(RunKind.UNLEARNED, Path("run"), model, 7, 1.5)
    return partition, setup, audited, measure_state(audited, partition, setup)


def scores(audited: AuditedRun, setup: AuditSetup) -> np.ndarray:
    values = (audited.model.users.weight @ audited.model.items.weight.T).detach().numpy().astype(float)
    values[setup.seen.users, setup.seen.items] = -np.inf
    return values


def test_forget_figures_equal_a_loop_over_users(scene: tuple[Partition, AuditSetup, AuditedRun, MeasuredRun]):
    _, setup, audited, measured = scene
    values = scores(audited, setup)
    recalls = []
    for user in np.unique(setup.forgotten.users):
        wanted = set(setup.forgotten.items[setup.forgotten.users == user])
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

    forgotten = shares(setup.forgotten.users, setup.forgotten.items)
    controls = shares(setup.controls.users, setup.controls.items)
    wins = np.mean([[(p > c) + 0.5 * (p == c) for c in controls] for p in forgotten])
    assert measured.figures.auc == pytest.approx(wins, abs=1e-6)
    assert measured.figures.seed == 7


def test_retained_figures_equal_a_loop_and_split_into_affected_and_others(
    scene: tuple[Partition, AuditSetup, AuditedRun, MeasuredRun],
):
    partition, setup, audited, measured = scene
    test = partition.retained.interactions.split(Split.TEST)
    values = scores(audited, setup)
    recalls = {}
    for user in np.intersect1d(test.users, partition.retained.train.users):
        wanted = set(test.items[test.users == user])
        recalls[user] = len(wanted & set(np.argsort(-values[user])[:20])) / len(wanted)
    touched = set(setup.forgotten.users)
    assert measured.recall.tolist() == pytest.approx(list(recalls.values()))
    assert measured.figures.retain["recall@20"] == pytest.approx(np.mean(list(recalls.values())))
    for figures, inside in ((measured.figures.affected, True), (measured.figures.unaffected, False)):
        assert figures["recall@20"] == pytest.approx(
            np.mean([r for u, r in recalls.items() if (u in touched) == inside])
        )


def test_groups_of_users_and_items_equal_a_loop_over_test_pairs(
    scene: tuple[Partition, AuditSetup, AuditedRun, MeasuredRun],
):
    partition, setup, audited, measured = scene
    test, train, values = partition.retained.interactions.split(Split.TEST), setup.seen, scores(audited, setup)
    most = [
        set(np.argsort(-np.bincount(rows, minlength=size), kind="stable")[: round(share * size)])
        for rows, size, share in ((train.users, len(values), 0.05), (train.items, values.shape[1], 0.2))
    ]
    found: dict[tuple[bool, bool], list[float]] = {}
    for user in np.intersect1d(test.users, train.users):
        listed, wanted = np.argsort(-values[user])[:20], test.items[test.users == user]
        found.setdefault((True, user in most[0]), []).append(np.isin(wanted, listed).mean())
        for item in wanted:
            found.setdefault((False, item in most[1]), []).append(item in listed)
    users, items = ([np.mean(found[side, top]) for top in (True, False)] for side in (True, False))
    assert measured.figures.groups == {
        "active_users": pytest.approx(users[0]),
        "other_users": pytest.approx(users[1]),
        "a_igf": pytest.approx(abs(users[0] - users[1])),
        "popular_items": pytest.approx(items[0]),
        "other_items": pytest.approx(items[1]),
        "item_gap": pytest.approx(abs(items[0] - items[1])),
    }


def test_lists_hold_no_retained_pair_and_probabilities_add_up(
    scene: tuple[Partition, AuditSetup, AuditedRun, MeasuredRun],
):
    partition, _, _, measured = scene
    rows = np.unique(partition.retained.train.users)
    owners = np.repeat(rows, measured.lists.shape[1])
    listed = measured.lists.ravel() >= 0
    train, items = partition.retained.train, len(partition.retained.items)
    assert not train.contains(owners[listed], measured.lists.ravel()[listed], items).any()
    assert measured.shares.sum(dim=1).tolist() == pytest.approx([1.0] * len(measured.shares))


def test_the_probe_holds_what_left_and_controls_that_were_never_trained_on(dataset: Dataset):
    partition = Partition.from_request(dataset, ForgetRequest(items=tuple(dataset.items.names[:4])))
    setup = audit_setup(partition)
    train, items = dataset.train, len(dataset.items)
    assert (setup.branch, setup.by) == ("", "users")
    assert set(setup.forgotten.items) <= {0, 1, 2, 3}
    assert len(setup.forgotten) == int((train.items < 4).sum())
    assert len(setup.seen) + len(setup.forgotten) == len(train)
    assert not train.contains(setup.controls.users, setup.controls.items, items).any()
    assert not train.contains(setup.random.users, setup.random.items, items).any()
    assert (np.flatnonzero(setup.affected) == np.unique(setup.forgotten.users)).all()


def test_neighbours_of_removed_users_are_the_affected(dataset: Dataset):
    partition = Partition.from_request(dataset, ForgetRequest(users=(dataset.users.names[0],)))
    setup = audit_setup(partition)
    mine = set(dataset.train.items[dataset.train.users == 0])
    sharing = {int(u) for u, i in zip(dataset.train.users, dataset.train.items, strict=True) if i in mine and u != 0}
    assert set(np.flatnonzero(setup.affected)) == sharing
    assert setup.by == "items"


@pytest.fixture(scope="module")
def runs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Partition]:
    original = load(run_folder)
    out = tmp_path_factory.mktemp("measure") / "after"
    jobs.unlearn(original, ForgetRequest(items=tuple(original.dataset.items.names[:3])), out)
    after = load(out)
    return original, after, Partition.between(original.dataset, after.dataset)


def test_removed_items_are_exposed_before_any_filter(runs: tuple[Run, Run, Partition]):
    original, after, partition = runs
    setup = audit_setup(partition)
    before, later = (
        measure_state(AuditedRun.of(*entry), partition, setup)
        for entry in ((RunKind.ORIGINAL, original), (RunKind.GOLD, after))
    )
    for state in (before, later):
        assert set(state.figures.exposure) == {"top20", "percentile"}
        assert state.figures.exposure["top20"] > 0


def test_the_original_is_asked_with_its_own_rows_and_lists_retained_items_only(runs: tuple[Run, Run, Partition]):
    original, _, partition = runs
    setup = audit_setup(partition)
    measured = measure_state(AuditedRun.of(RunKind.ORIGINAL, original), partition, setup)
    vectors = vectors_of(original.model, original.dataset)
    users, items = (
        vectors.users[torch.from_numpy(partition.user_rows)],
        vectors.items[torch.from_numpy(partition.item_rows)],
    )
    values = (users @ items.T).detach().numpy()
    values[partition.retained.train.users, partition.retained.train.items] = -np.inf
    rows = np.unique(partition.retained.train.users)
    assert (measured.lists[:, :3] == np.argsort(-values[rows], axis=1)[:, :3]).all()


def test_inputs_are_built_once_for_all_models_of_a_kind(
    runs: tuple[Run, Run, Partition], monkeypatch: pytest.MonkeyPatch
):
    _, after, partition = runs
    built: list[int] = []
    build = views.build_inputs
    monkeypatch.setattr(views, "build_inputs", lambda *args: built.append(1) or build(*args))
    setup = audit_setup(partition)
    first = measure_state(AuditedRun.of(RunKind.GOLD, after), partition, setup)
    count = len(built)
    second = measure_state(AuditedRun.of(RunKind.UNLEARNED, after), partition, setup)
    assert count == len(built) == 2
    assert first.figures.recognition == second.figures.recognition


def test_a_lost_modality_is_judged_by_its_branch(dataset: Dataset, runs: tuple[Run, Run, Partition]):
    partition = Partition.from_request(dataset, ForgetRequest(modalities={"image": tuple(dataset.items.names[:9])}))
    setup = audit_setup(partition)
    assert setup.branch == "image"
    assert set(setup.forgotten.items) <= set(np.flatnonzero(partition.removed_features["image"]))
    vectors = vectors_of(runs[0].model, dataset)
    assert scored_vectors(vectors, setup) is vectors.branches["image"]


@pytest.mark.parametrize("kind", ["users", "items"])
def test_fold_in_asks_whoever_was_removed(dataset: Dataset, kind: str):
    names = {"users": dataset.users.names, "items": dataset.items.names}
    partition = Partition.from_request(dataset, ForgetRequest(**{kind: tuple(names[kind][:6])}))
    rng = torch.Generator().manual_seed(0)
    whole = Vectors(*(torch.randn(len(names[side]), 5, generator=rng) for side in ("users", "items")))
    pairs = partition.forgotten if kind == "users" else partition.forgotten.swapped()
    expected = fold_in.fold_in(whole.users, whole.items, pairs, kind == "users")
    assert expected is not None
    assert fold_in.of_removed(whole, partition, audit_setup(partition)) == expected
    both = Partition.from_request(dataset, ForgetRequest(**{side: (some[0],) for side, some in names.items()}))
    assert fold_in.of_removed(whole, both, audit_setup(both)) is None
