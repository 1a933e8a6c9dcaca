"""The difference of two runs, against sets and loops."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun import ForgetRequest, jobs, load
from mmrecun.errors import ConfigError
from tests.conftest import TRAINING

REQUEST = ForgetRequest(users=("u00003",), items=("i00007", "i00001"), pairs=())


@pytest.fixture(scope="module")
def two(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("diff")
    jobs.train(data_folder, "bprmf", folder / "one", {**TRAINING, "epochs": 4})
    jobs.unlearn(folder / "one", REQUEST, folder / "two")
    return folder / "one", folder / "two"


def test_a_run_differs_in_nothing_from_itself(two):
    found = jobs.diff(two[0], two[0])
    assert all(counts["removed"] == counts["added"] == 0 for counts in found["rows"].values())
    assert found["lists"]["all"] == {"users": 80, "overlap": 1, "overlap_of_kept_items": 1, "unchanged": 1}
    assert found["lists"]["who lost pairs"]["users"] == 0
    assert found["movers"] == []
    assert found["vectors"]["users"]["max"] < 1e-6


def test_rows_are_those_of_the_datasets(two):
    rows = jobs.diff(*two)["rows"]
    one, other = (load(run).dataset for run in two)
    assert rows["users"] == {"before": 80, "after": 79, "removed": 1, "added": 0}
    assert rows["items"] == {"before": 50, "after": 48, "removed": 2, "added": 0}
    gone = len(one.interactions) - len(other.interactions)
    assert rows["interactions"]["removed"] == gone
    assert jobs.diff(two[1], two[0])["rows"]["interactions"]["added"] == gone


def test_lists_by_loops(two):
    found = jobs.diff(*two, names=True)
    one, other = (load(run) for run in two)
    listed = [
        {user: [entry["item"] for entry in jobs.recommend(run, user, 20)] for user in other.dataset.users.names}
        for run in (one, other)
    ]
    overlap = {
        user: len({*listed[0][user]} & {*listed[1][user]}) / max(len(listed[0][user]), len(listed[1][user]))
        for user in listed[1]
    }
    assert found["lists"]["all"]["overlap"] == pytest.approx(np.mean(list(overlap.values())), abs=1e-6)
    pairs = one.dataset.interactions
    losers = {
        one.dataset.users.names[int(user)]
        for user, item in zip(pairs.users, pairs.items, strict=True)
        if one.dataset.items.names[int(item)] in REQUEST.items
    } - {*REQUEST.users}
    assert found["lists"]["who lost pairs"]["users"] == len(losers)
    assert found["lists"]["others"]["users"] == 79 - len(losers)
    shares = [overlap[user] for user in losers]
    assert found["lists"]["who lost pairs"]["overlap"] == pytest.approx(np.mean(shares), abs=1e-6)
    for mover in found["movers"]:
        counts = [sum(mover["item"] in items for items in lists.values()) for lists in listed]
        assert counts == [mover["lists_before"], mover["lists_after"]]


def test_items_are_named_and_users_only_where_asked(two):
    one = load(two[0]).dataset
    told = str({name: value for name, value in jobs.diff(*two).items() if name not in ("run", "other")})
    assert not [name for name in one.users.names if name in told]
    named = jobs.diff(*two, names=True)
    titles = dict(zip(one.items.names, one.item_attributes["title"], strict=True))
    assert all(mover["title"] == titles[mover["item"]] for mover in named["movers"])
    assert not {mover["item"] for mover in named["movers"]} & {*REQUEST.items}
    assert {entry["user"] for entry in named["most_changed_users"]} <= {*one.users.names} - {*REQUEST.users}


def test_runs_with_nothing_in_common_are_refused(two, tmp_path: Path):
    from dataclasses import replace

    from mmrecun.data import files
    from mmrecun.data.ids import IdMap

    data = load(two[0]).dataset
    strangers = replace(data, users=IdMap.of("user", (f"other{row}" for row in range(len(data.users)))))
    files.save(strangers, tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {**TRAINING, "epochs": 1})
    with pytest.raises(ConfigError, match="no user in common"):
        jobs.diff(two[0], tmp_path / "run")
