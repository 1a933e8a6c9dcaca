"""Requests as they come: repeated, with strangers among them, about items that somebody else has all of."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import mmrecun
from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ArtifactError, ConfigError, DataError, ForgetError, MMRecUnError
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs import absent_table

KEY = b"a key that lies outside the run"


def full_user(users: int = 30, items: int = 20, lacking: int = 0) -> Dataset:
    """User 0, "crawler", has every item but the last `lacking`; nobody has those but user 1."""
    rng = np.random.default_rng(0)
    has = rng.random((users, items)) < 0.3
    has[0] = True
    if lacking:
        has[:, -lacking:] = False
        has[1, -lacking:] = True
    rows, columns = np.nonzero(has)
    splits = np.where((rows > 0) & (np.arange(len(rows)) % 5 == 0), 1 + np.arange(len(rows)) % 2, 0)
    names = IdMap.of("user", ["crawler", *(f"u{n}" for n in range(1, users))])
    return Dataset("x", names, IdMap.of("item", [f"i{n}" for n in range(items)]), Interactions(rows, columns, splits))


@pytest.mark.parametrize("model", ["bprmf", "lightgcn"])
def test_one_user_who_has_everything_does_not_stop_a_training(model: str, tmp_path: Path):
    files.save(full_user(), tmp_path / "data")
    jobs.train(tmp_path / "data", model, tmp_path / "run", {"epochs": 2, "dim": 4})
    assert jobs.recommend(tmp_path / "run", "crawler") == []


@pytest.mark.parametrize("method", ["mmrecun", "retrain", "finetune", "scif", "neggrad", "obliviate", "gsgcf", "sisa"])
def test_items_leave_although_somebody_has_all_others(method: str, tmp_path: Path):
    files.save(full_user(lacking=2), tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {"epochs": 2, "dim": 4})
    jobs.unlearn(tmp_path / "run", ForgetRequest(items=["i18", "i19"]), tmp_path / "after", method)
    assert len(runs.load(tmp_path / "after").dataset.items) == 18


def test_that_user_can_be_forgotten_too(tmp_path: Path):
    files.save(full_user(), tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {"epochs": 2, "dim": 4})
    jobs.unlearn(tmp_path / "run", ForgetRequest(users=["crawler"]), tmp_path / "after")
    assert "crawler" not in runs.load(tmp_path / "after").dataset.users.names


def test_where_everybody_has_everything_there_is_nothing_to_learn(tmp_path: Path):
    rows = np.repeat(np.arange(4), 6)
    pairs = Interactions(rows, np.tile(np.arange(6), 4), np.zeros(24, dtype=np.int8))
    cold = Interactions(np.append(rows, 4), np.append(pairs.items, 0), np.append(pairs.splits, 1))
    names = IdMap.of("user", "abcde"), IdMap.of("item", "uvwxyz")
    files.save(Dataset("x", *names, cold), tmp_path / "data")
    with pytest.raises(DataError, match=r"every user with a training pair has every item|no validation pair"):
        jobs.train(tmp_path / "data", "bprmf", tmp_path / "run")


@pytest.fixture(scope="module")
def twice(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two requests, one after the other: a user and an item, then a pair."""
    folder = tmp_path_factory.mktemp("twice")
    jobs.unlearn(run_folder, ForgetRequest(users=["u00003"], items=["i00002"]), folder / "first", "unlink")
    first = runs.load(folder / "first").dataset
    pair = first.users.names[int(first.train.users[0])], first.items.names[int(first.train.items[0])]
    jobs.unlearn(folder / "first", ForgetRequest(pairs=[pair]), folder / "second", "unlink")
    (folder / "pair.json").write_text(json.dumps(pair))
    return folder


def test_a_repeated_request_is_told(twice: Path, tmp_path: Path):
    pair = tuple(json.loads((twice / "pair.json").read_text()))
    for request, message in (
        (ForgetRequest(users=["u00003"]), "^already forgotten: 1 user, u00003$"),
        (ForgetRequest(items=["i00002"]), "^already forgotten: 1 item, i00002$"),
        (ForgetRequest(pairs=[pair]), "^already forgotten: 1 pair, "),
        (ForgetRequest(users=["u00003", "nobody"]), "^unknown: 1 user, nobody; already forgotten: 1 user, u00003$"),
        (ForgetRequest(users=["nobody"]), "^unknown user id: nobody$"),
    ):
        with pytest.raises(ForgetError, match=message):
            jobs.unlearn(twice / "second", request, tmp_path / "out")
        with pytest.raises(ForgetError, match=message):
            jobs.scope(twice / "second", request)


def test_a_key_tells_a_repeated_request_where_nothing_older_is_left(run_folder: Path, tmp_path: Path):
    jobs.unlearn(run_folder, ForgetRequest(users=["u00003"]), tmp_path / "a" / "run", "unlink", key=KEY)
    moved = tmp_path / "moved"  # so that its parent is no longer where its manifest says
    (tmp_path / "a" / "run").rename(moved)
    with pytest.raises(ForgetError, match="already forgotten: 1 user, u00003"):
        jobs.unlearn(moved, ForgetRequest(users=["u00003"]), tmp_path / "out", key=KEY)
    with pytest.raises(ForgetError, match="unknown user id: u00003"):
        jobs.unlearn(moved, ForgetRequest(users=["u00003"]), tmp_path / "out")


def test_strangers_are_passed_over_when_it_is_asked_for(twice: Path):
    request = ForgetRequest(
        users=["u00003", "u00004", "nobody"],
        items=["nothing"],
        pairs=[("u00005", "nothing")],
        modalities={"image": ["i00001", "nothing"], "audio": None},
    )
    left, absent = jobs.present_part(twice / "second", request)
    assert left == ForgetRequest(users=["u00004"], modalities={"image": ["i00001"], "audio": None})
    assert absent.unknown == {"users": ("nobody",), "items": ("nothing",), "pairs": (("u00005", "nothing"),)}
    assert absent.forgotten == {"users": ("u00003",)}
    assert absent_table(absent).splitlines() == [
        "kind,user,item,state",
        "user,nobody,,unknown",
        "item,,nothing,unknown",
        "pair,u00005,nothing,unknown",
        "user,u00003,,already forgotten",
    ]
    with pytest.raises(ForgetError, match="nothing is left to forget; unknown: 1 user, nobody"):
        jobs.present_part(twice / "second", ForgetRequest(users=["nobody"]))


def test_unknown_ids_in_attributes_are_told(tmp_path: Path):
    """An uploader who never watched anything is no user, and stays in the data all the same."""
    data = full_user()
    uploader = [f"u{n % 5 + 1}" if n else "bob-7" for n in range(len(data.items))]
    files.save(replace(data, item_attributes=pl.DataFrame({"uploader": uploader})), tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {"epochs": 1, "dim": 4})
    told = "unknown ids stand in 1 row of items.uploader: correct the column, or forget these rows with --where"
    named = told.replace("--where", "'where'")
    with pytest.raises(ForgetError, match=f"^unknown user id: bob-7; {named}$"):
        jobs.scope(tmp_path / "run", ForgetRequest(users=["bob-7"]))
    request = ForgetRequest(users=["bob-7", "u3", "nobody"])
    assert jobs.present_part(tmp_path / "run", request)[1].mentioned() == told
    assert jobs.present_part(tmp_path / "run", ForgetRequest(users=["u3", "nobody"]))[1].mentioned() == ""


def test_what_is_held_out_is_no_recommendation(run_folder: Path):
    run = runs.load(run_folder)
    pairs = run.dataset.interactions
    for row in range(5):
        had = set(run.dataset.items.names.gather(pairs.items[pairs.users == row]))
        listed = [entry["item"] for entry in jobs.recommend(run, run.dataset.users.names[row], 10**11)]
        assert len(listed) == len(run.dataset.items) - len(had)
        assert not had & set(listed)


def test_mistakes_in_a_notebook_are_the_packages_own_errors(run_folder: Path, tmp_path: Path):
    for call in (
        lambda: mmrecun.unlearn(run_folder, {"user": ["u00003"]}, tmp_path / "a"),
        lambda: mmrecun.unlearn(run_folder, ["u00003"], tmp_path / "a"),
        lambda: mmrecun.unlearn(run_folder, ForgetRequest(users=[3]), tmp_path / "a"),
        lambda: jobs.recommend(run_folder, 3),
        lambda: jobs.recommend(run_folder, "u00001", "5"),
        lambda: jobs.recommend(run_folder, "u00001", 2.5),
        lambda: jobs.unlearn(run_folder, {"users": ["u00001"]}, tmp_path / "x", "unlink", seed="x"),
        lambda: ForgetRequest(users=np.array("u00001")),
        lambda: ForgetRequest(pairs=[{"u00001", "i00001"}]),  # which of the two comes first is chance
        lambda: runs.load(__file__),
        lambda: mmrecun.audit(mmrecun.load(run_folder)),
    ):
        with pytest.raises(MMRecUnError) as caught:
            call()
        assert "\n" not in str(caught.value)
    made = mmrecun.unlearn(run_folder, {"users": ["u00003"]}, tmp_path / "a", "unlink")
    assert made.forgotten["users"] == 1
    with pytest.raises(ArtifactError, match="was trained, not unlearned"):
        mmrecun.audit(mmrecun.load(run_folder))


def test_ids_that_differ_in_blanks_alone_are_told(tmp_path: Path):
    data = full_user()
    names = IdMap.of("user", ["u1 ", *data.users.names[1:]])
    files.save(Dataset("x", names, data.items, data.interactions), tmp_path / "data")
    jobs.train(tmp_path / "data", "bprmf", tmp_path / "run", {"epochs": 1, "dim": 4})
    warnings = jobs.warnings(tmp_path / "run", ForgetRequest(users=["u1"]))
    assert warnings == [
        "1 user that stays differs from a forgotten one in blanks, case, leading zeros or Unicode form alone: 'u1 '"
    ]
    assert jobs.warnings(tmp_path / "run", ForgetRequest(users=["u2"])) == []


def test_a_new_run_is_not_made_within_the_run_that_is_to_be_removed(run_folder: Path):
    request = {"users": ["u00003"]}
    for act in (
        lambda: jobs.unlearn(run_folder, request, run_folder / "less", "unlink"),
        lambda: jobs.unlearn_seeds(run_folder, request, run_folder / "dataset" / ".." / "less", [1], "unlink"),
    ):
        with pytest.raises(ArtifactError, match=r"lies within .* beside it"):
            act()
    assert not list(run_folder.glob("*less*"))


def test_a_request_that_leaves_one_item_is_refused_before_the_work(run_folder: Path, tmp_path: Path):
    names = runs.load(run_folder).dataset.items.names.to_list()
    for act in (jobs.scope, lambda run, request: jobs.unlearn(run, request, tmp_path / "x")):
        with pytest.raises(ForgetError, match="leaves one item"):
            act(run_folder, {"items": names[1:]})
    assert jobs.scope(run_folder, {"items": names[2:]})["retained"]["items"] == 2


def test_frames_are_no_lists_and_no_path_is_told(run_folder: Path, tmp_path: Path):
    """A frame yields its columns: two rows of pairs would be read as two other pairs."""
    frame = pl.DataFrame({"user": ["u00001", "u00002"], "item": ["i00001", "i00002"]})
    for target in ("users", "pairs"):
        with pytest.raises(ForgetError, match=r"^a data frame is not a list; give one column"):
            ForgetRequest(**{target: frame})
    with pytest.raises(ForgetError, match=r"^1 is not a pair; write \[\(user, item\), ...\]$"):
        ForgetRequest(pairs=(1, 2))
    with pytest.raises(ForgetError) as caught:
        ForgetRequest(users=[np.zeros((50, 50))])
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 200
    request, data = ForgetRequest(users=["u00003"]), runs.load(run_folder).dataset
    for act in (
        lambda: mmrecun.load(None),
        lambda: mmrecun.evaluate(data),
        lambda: mmrecun.train(frame, "bprmf", tmp_path / "x"),
        lambda: mmrecun.train(data, "bprmf", None),
        lambda: mmrecun.unlearn(run_folder, tmp_path / "x", request),
        lambda: mmrecun.unlearn(run_folder, request, request),
    ):
        with pytest.raises(MMRecUnError, match=r"is not a path|is not a forget request"):
            act()
    for act in (
        lambda: mmrecun.train(data, None, tmp_path / "x"),
        lambda: mmrecun.unlearn(run_folder, request, tmp_path / "x", method=None),
    ):
        with pytest.raises(ConfigError, match=r"^None is not the name of"):
            act()
    with pytest.raises(DataError, match=r"^features: a list; give a mapping"):
        Dataset.from_frames(frame, features=[1])
    assert not list(tmp_path.iterdir())


def test_one_gold_need_not_stand_in_a_list(run_folder: Path, tmp_path: Path):
    request = {"users": ["u00003"]}
    after, gold = tmp_path / "after", tmp_path / "gold"
    mmrecun.unlearn(run_folder, request, after, "unlink")
    mmrecun.unlearn(run_folder, request, gold, "retrain", seed=1)
    found = [mmrecun.audit(after, golds).compared.golds for golds in (str(gold), gold, [gold])]
    assert found[0] == found[1] == found[2] == (runs.load(gold).weights,)
