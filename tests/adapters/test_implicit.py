"""Files of implicit, and the exact unlearning of ALS, against dense matrices."""

import numpy as np
import pytest

from mmrecun import ForgetRequest
from mmrecun.adapters import implicit
from mmrecun.errors import ArtifactError, ForgetError

RIDGE, ALPHA = 0.5, 2.0


def dense_als(weights, users, items, sweeps):
    """ALS by its normal equations, dense, all rows of a side at once."""
    dim = users.shape[1]

    def solved(confidence, other):
        count = np.where(confidence > 0, confidence, 1.0)
        left = np.einsum("ri,id,ie->rde", count, other, other, optimize=True) + RIDGE * np.eye(dim)
        return np.linalg.solve(left, ((count * (confidence > 0)) @ other)[:, :, None])[:, :, 0]

    for _ in range(sweeps):
        users = solved(weights, items)
        items = solved(weights.T, users)
    return users, items


@pytest.fixture(scope="session")
def als(dataset, matrices, tmp_path_factory):
    rng = np.random.default_rng(2)
    start = (rng.random((size, 4)) for size in matrices[0].shape)
    users, items = dense_als(ALPHA * matrices[0].toarray(), *start, sweeps=30)
    path = tmp_path_factory.mktemp("als") / "als.npz"
    settings = {"regularization": RIDGE, "alpha": ALPHA, "factors": 4, "iterations": 30}
    np.savez(path, user_factors=users.astype("f4"), item_factors=items.astype("f4"), dtype="float32", **settings)
    return path


def test_iterated_out_the_scores_are_those_of_a_retraining(als, dataset, matrices):
    mine = implicit.load(als, dataset)
    less = mine.unlearn(ForgetRequest(users=["user-3"]), settings={"sweeps": 3000, "tolerance": 1e-10})
    weights = ALPHA * matrices[0].toarray()
    weights[3] = 0
    start = (
        table.astype(float) for table in (mine.artifact.arrays["user_factors"], mine.artifact.arrays["item_factors"])
    )
    users, items = dense_als(weights, *start, sweeps=3000)
    kept = np.arange(len(users)) != 3
    found = less.model.users.weight.detach().double() @ less.model.items.weight.detach().double().T
    np.testing.assert_allclose(found, users[kept] @ items.T, atol=1e-6)


def test_a_user_is_the_exact_answer_to_retained_pairs(als, dataset, matrices):
    """Whatever the number of sweeps, every user's row solves its normal equations, given the items."""
    less = (
        implicit.load(als, dataset).unlearn(ForgetRequest(pairs=[("user-0", "item-0")])) if matrices[0][0, 0] else None
    )
    if less is None:
        pairs = matrices[0].tocoo()
        first = f"user-{pairs.row[0]}", f"item-{pairs.col[0]}"
        less = implicit.load(als, dataset).unlearn(ForgetRequest(pairs=[first]))
    users, items = (rows.detach().double().numpy() for rows in (less.model.users.weight, less.model.items.weight))
    weights = ALPHA * matrices[0].toarray() * (less.dataset.train.matrix(*matrices[0].shape).toarray() > 0)
    for user, row in zip(users, weights, strict=True):
        count = np.where(row > 0, row, 1.0)
        residual = items.T @ (count * ((row > 0) - items @ user)) - RIDGE * user
        np.testing.assert_allclose(residual, 0, atol=1e-4)


def test_the_file_has_the_same_arrays_and_empty_rows(als, dataset, tmp_path):
    less = implicit.load(als, dataset).unlearn(ForgetRequest(users=["user-3"], items=["item-8"]))
    less.save(tmp_path / "less.npz")
    with np.load(als) as before, np.load(tmp_path / "less.npz", allow_pickle=False) as after:
        assert set(before) == set(after)
        assert {name: before[name].dtype for name in before} == {name: after[name].dtype for name in after}
        assert before["user_factors"].shape == after["user_factors"].shape
        assert not after["user_factors"][3].any()
        assert not after["item_factors"][8].any()
        assert np.abs(np.delete(after["user_factors"], 3, axis=0)).sum(axis=1).all()


def test_arrays_that_a_program_added_lose_the_forgotten_too(als, dataset, tmp_path):
    names = np.array(dataset.users.names.to_list())
    with np.load(als) as file:
        added = {"user_ids": names, "item_norms": np.ones(len(dataset.items)), "uid": names, "threshold": np.ones(3)}
        np.savez(tmp_path / "added.npz", **file, **added)
    less = implicit.load(tmp_path / "added.npz", dataset).unlearn(ForgetRequest(users=["user-3"], items=["item-8"]))
    less.save(tmp_path / "less.npz")
    with np.load(tmp_path / "less.npz", allow_pickle=False) as after:
        assert after["user_ids"].tolist() == ["" if name == "user-3" else name for name in names]
        assert np.flatnonzero(after["item_norms"] == 0).tolist() == [8]
        assert after["threshold"].all()
    assert any("(uid) stay as they were trained" in limit for limit in less.limits)
    (failed,) = (check for check in less.audit().checks if check.name == "residue: files")
    assert failed.detail == "forgotten ids stand in files: 1 in model.npz"


def test_it_is_audited_against_a_retraining_by_its_own_library(als, dataset, matrices, tmp_path):
    mine = implicit.load(als, dataset)
    less = mine.unlearn(ForgetRequest(users=["user-3", "user-7"]))
    rng = np.random.default_rng(5)
    weights = ALPHA * matrices[0].toarray()
    weights[[3, 7]] = 0
    users, items = dense_als(weights, *(rng.random((size, 4)) for size in weights.shape), sweeps=30)
    settings = {"regularization": RIDGE, "alpha": ALPHA}
    np.savez(tmp_path / "gold.npz", user_factors=users, item_factors=items, **settings)
    gold = implicit.load(tmp_path / "gold.npz", less.dataset, dataset.users.names, dataset.items.names)
    report = less.audit([gold])
    assert str(report).startswith("Audit of 'implicit' unlearned by ")
    assert [state.name for state in report.states] == ["original", "unlearned", "gold"]
    assert report.gap["retain_recall@20"].difference == pytest.approx(0, abs=0.1)
    removal = {check.name: check.state.value for check in report.checks if check.name.startswith("residue")}
    assert removal["residue: ids"] == "passed"


def test_bpr_keeps_its_bias_and_lists_a_forgotten_item_last(ranked, dataset, tmp_path):
    users, items = ranked
    bias = np.linspace(-0.1, 0.1, len(items), dtype=np.float32)[:, None]
    ones = np.ones((len(users), 1), np.float32)
    factors = {"user_factors": np.hstack([users, ones]), "item_factors": np.hstack([items, bias])}
    np.savez(tmp_path / "bpr.npz", **factors, learning_rate=0.01, regularization=0.01)
    mine = implicit.load(tmp_path / "bpr.npz", dataset)
    np.testing.assert_array_equal(mine.model.items.weight.detach()[:, -1], bias[:, 0])
    less = mine.unlearn(ForgetRequest(users=["user-3"], items=["item-8"]))
    less.save(tmp_path / "less.npz")
    with np.load(tmp_path / "less.npz") as after:
        assert (after["user_factors"][:, -1] == 1).all()
        scores = after["user_factors"] @ after["item_factors"].T
        assert (scores.argmin(axis=1) == 8).all()
    # implicit draws popular negatives: an epoch with even draws would lead away from its retraining, unless asked for
    assert less.settings["epochs"] == less.unlearn({"users": ["user-5"]}).settings["epochs"] == 0
    assert mine.unlearn({"users": ["user-3"]}, settings={"epochs": 2}).settings["epochs"] == 2


def test_what_was_not_trained_to_rank_on_these_data_is_refused(dataset, tmp_path):
    rng = np.random.default_rng(0)
    factors = {"user_factors": rng.random((30, 5)), "item_factors": rng.random((40, 5)) - 0.5}
    np.savez(tmp_path / "bpr.npz", **factors, learning_rate=0.01)
    with pytest.raises(ForgetError, match="train it again with its own library"):
        implicit.load(tmp_path / "bpr.npz", dataset).unlearn(ForgetRequest(users=["user-3"]))


def test_other_files_are_refused(dataset, tmp_path):
    np.savez(tmp_path / "unknown.npz", user_factors=np.ones((30, 3)), item_factors=np.ones((40, 3)))
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "object.npz", user_factors=np.array([{}]), item_factors=np.ones(2))
    np.savez(tmp_path / "other.npz", weights=np.ones(2))
    for name, said in (
        ("unknown", "say kind=als, bpr or lmf"),
        ("text", "not an .npz"),
        ("object", "not an .npz"),
        ("other", "weights"),
    ):
        with pytest.raises(ArtifactError, match=said) as refused:
            implicit.load(tmp_path / f"{name}.npz", dataset)
        assert "\n" not in str(refused.value)
