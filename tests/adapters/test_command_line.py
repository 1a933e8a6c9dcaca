"""Two commands for a model of another library: `unlearn --like`, then `audit`."""

import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from shlex import split

import numpy as np
import polars as pl
import pytest
import torch

from mmrecun import Dataset, jobs, load
from mmrecun.adapters import implicit, vectors
from mmrecun.data import files
from tests.cli.calling import keys

GONE, PAD = ["user-3", "user-11"], "[PAD]"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def place(tmp_path, monkeypatch, dataset, ranked):
    """A folder with data, a request and a model in each format."""
    monkeypatch.chdir(tmp_path)
    files.save(dataset, Path("data"))
    Path("gone.txt").write_text("\n".join(GONE), encoding="utf-8")
    users, items = ranked
    np.savez("als.npz", user_factors=users, item_factors=items, regularization=0.5, alpha=1.0)
    Path("vectors").mkdir()
    np.save("vectors/users.npy", users)
    np.save("vectors/items.npy", items)
    tables = [torch.cat([torch.zeros(1, rows.shape[1]), torch.from_numpy(rows)]) for rows in ranked]
    state = OrderedDict(zip(("user_embedding.weight", "item_embedding.weight"), tables, strict=True))
    torch.save({"state_dict": state}, "BPR.pth")
    torch.save(OrderedDict(zip(("u", "i"), map(torch.from_numpy, ranked), strict=True)), "plain.pth")
    for kind, ids in (("users", dataset.users), ("items", dataset.items)):
        Path(f"{kind}.txt").write_text("\n".join([PAD, *ids.names]) + "\n", encoding="utf-8")
    return tmp_path


FORMATS = {
    "als.npz": ("--like", "implicit"),
    "BPR.pth": ("--like", "recbole", "--reading", "users=users.txt", "--reading", "items=items.txt"),
    "plain.pth": ("--like", "torch", "--reading", "tables=u, i"),
    "vectors": ("--like", "vectors"),
}


def rows_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The two tables in a file, read without this package, and without padding."""
    if path.is_dir():
        return np.load(path / "users.npy"), np.load(path / "items.npy")
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["user_factors"], file["item_factors"]
    state = torch.load(path, weights_only=True)
    if "state_dict" in state:
        return tuple(table.numpy()[1:] for table in state["state_dict"].values())
    return state["u"].numpy(), state["i"].numpy()


@pytest.mark.parametrize("name", FORMATS)
def test_unlearn_then_audit(cli, place, dataset, name):
    before = rows_of(Path(name))
    done = keys(
        cli("unlearn", name, *FORMATS[name], "--data", "data", "--users", "gone.txt", "--out", "less", "--json")
    )
    assert {"run", "parent", "method", "forgotten", "seconds", "stop", "model", "limits"} <= done.keys()
    assert done["forgotten"]["users"] == 2
    assert done["method"] == ("exact" if name == "als.npz" else "mmrecun")
    users, items = rows_of(Path(done["model"]))
    assert all(np.array_equal(one, other) for one, other in zip(before, rows_of(Path(name)), strict=True))
    emptied = dataset.users.rows(GONE)
    assert not users[emptied].any()
    assert np.delete(users, emptied, axis=0).any(axis=1).all()
    assert (users.shape, items.shape) == (before[0].shape, before[1].shape)
    assert not np.array_equal(items, before[1])
    audit = keys(cli("audit", "less", "--json"))
    assert audit["forgotten"]["users"] == 2
    residue = [check for check in audit["checks"] if check["name"].startswith("residue")]
    assert {check["state"] for check in residue} <= {"passed", "not applicable"}
    assert {"audit.json", "report.html", "manifest.json", "dataset"} <= {path.name for path in Path("less").iterdir()}


def test_a_model_may_be_the_current_folder(cli, place, monkeypatch):
    monkeypatch.chdir("vectors")
    keys(cli(*split("unlearn . --like vectors --data ../data --user user-3 --out ../less --json")))
    assert sorted(path.name for path in (place / "less" / "model" / "vectors").iterdir()) == ["items.npy", "users.npy"]
    keys(cli(*split("audit ../less --json")))


def test_the_command_writes_what_python_does(cli, place, dataset):
    keys(
        cli(
            *split("unlearn als.npz --like implicit --data data --user user-3 --out less"),
            *split("--set sweeps=2 --seed 4 --json"),
        )
    )
    implicit.load("als.npz", dataset).unlearn({"users": ["user-3"]}, None, {"sweeps": 2}, 4).save("python.npz")
    for one, other in zip(rows_of(Path("less/model/als.npz")), rows_of(Path("python.npz")), strict=True):
        np.testing.assert_array_equal(one, other)
    manifest = json.loads(Path("less/manifest.json").read_text())
    assert (manifest["method_settings"]["sweeps"], manifest["foreign"]["like"]) == (2, "implicit")
    assert "user-3" not in Path("less/manifest.json").read_text()


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_request_goes_on_from_the_folder_alone(cli, place, dataset, name):
    keys(cli("unlearn", name, *FORMATS[name], "--data", "data", "--user", "user-3", "--out", "less", "--json"))
    for path in ("users.txt", "items.txt"):
        Path(path).unlink()
    scope = keys(cli("unlearn", "less", "--user", "user-11", "--dry-run", "--json"))
    assert scope["forgotten"]["users"] == 1
    done = keys(cli("unlearn", "less", "--user", "user-11", "--item", "item-8", "--out", "less2", "--json"))
    users, items = rows_of(Path(done["model"]))
    assert not users[dataset.users.rows(GONE)].any()
    assert not items[8].any()
    assert np.delete(users, dataset.users.rows(GONE), axis=0).any(axis=1).all()
    assert keys(cli("audit", "less2", "--json"))["forgotten"]["users"] == 1
    code, _, err = cli("unlearn", "less2", "--user", "user-3", "--out", "less3")
    assert (code, err.count("\n")) == (2, 1)
    assert "user-3" in err


def test_quality_is_that_of_the_file(cli, place, dataset):
    keys(cli(*split("unlearn vectors --like vectors --data data --users gone.txt --out less --json")))
    found = keys(cli("evaluate", "less", "--json"))["metrics"]["recall@5"]
    users, items = rows_of(Path("less/model/vectors"))
    test = dataset.interactions.select(dataset.interactions.splits == 2)
    recalls = []
    for user in np.setdiff1d(np.unique(test.users), dataset.users.rows(GONE)):
        scores = items @ users[user]
        seen = dataset.interactions.select(dataset.interactions.splits == 0)
        scores[seen.items[seen.users == user]] = -np.inf
        wanted = test.items[test.users == user]
        recalls.append(np.isin(np.argsort(-scores, kind="stable")[:5], wanted).sum() / len(wanted))
    assert found == pytest.approx(np.mean(recalls), abs=1e-6)


def test_gold_is_a_file_with_all_rows_or_with_those_that_stay(cli, place, dataset, ranked):
    keys(cli(*split("unlearn als.npz --like implicit --data data --users gone.txt --out less --json")))
    users, items = rows_of(Path("less/model/als.npz"))
    stay = np.delete(np.arange(len(users)), dataset.users.rows(GONE))
    rng = np.random.default_rng(0)
    noisy = users + rng.normal(0, 1e-3, users.shape).astype(np.float32)
    np.savez("all.npz", user_factors=noisy, item_factors=items, regularization=0.5, alpha=1.0)
    np.savez("stay.npz", user_factors=noisy[stay], item_factors=items, regularization=0.5, alpha=1.0)
    figures = []
    for gold in ("all.npz", "stay.npz"):
        audit = keys(cli("audit", "less", "--gold", gold, "--json"))
        figures.append(next(state for state in audit["states"] if state["name"] == "gold")["retain"])
    assert figures[0] == figures[1]
    code, _, err = cli("audit", "less", "--gold", "all.npz", "--gold", "all.npz")
    assert (code, err.count("\n")) == (2, 1)


def test_a_gold_of_recbole_has_rows_of_its_own(cli, place, dataset):
    keys(
        cli(
            "unlearn",
            "BPR.pth",
            *FORMATS["BPR.pth"],
            "--data",
            "data",
            "--users",
            "gone.txt",
            "--out",
            "less",
            "--json",
        )
    )
    code, _, err = cli("audit", "less", "--gold", "BPR.pth")
    assert (code, err.count("\n")) == (2, 1)
    assert "whose row is whose" in err
    ids = ("--reading", "users=users.txt", "--reading", "items=items.txt")
    audit = keys(cli("audit", "less", "--gold", "BPR.pth", *ids, "--json"))
    gold, original = (next(one for one in audit["states"] if one["name"] == name) for name in ("gold", "original"))
    assert gold["retain"]["recall@20"] == pytest.approx(original["retain"]["recall@20"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("als.npz --users gone.txt", "say --like and --data"),
        ("als.npz --like implicit --users gone.txt", "say with --data"),
        ("als.npz --like implict --data data --users gone.txt", "did you mean 'implicit'"),
        ("als.npz --like implicit --data data --reading kin=als --users gone.txt", "did you mean 'kind'"),
        ("als.npz --like implicit --data data --reading kind --users gone.txt", "--reading layers=3"),
        ("als.npz --like implicit --data data --reading users=no.txt --users gone.txt", "no.txt: no such file"),
        ("als.npz --like implicit --data nowhere --users gone.txt", "nowhere: no such file"),
        ("no.npz --like implicit --data data --users gone.txt", "no.npz: no such file"),
        ("BPR.pth --like implicit --data data --users gone.txt", "BPR.pth: not a file of implicit"),
        ("BPR.pth --like recbole --data data --users gone.txt", "whose row is whose"),
        ("plain.pth --like torch --data data --users gone.txt", "unknown table 'user_embedding.weight'"),
        ("plain.pth --like torch --data data --reading tables=u --users gone.txt", "tables = "),
        ("vectors --like vectors --data data --user nobody", "nobody"),
        ("data/dataset.toml --like vectors --data data --user user-3", "no such folder"),
        ("data --data data --user user-3", "say with --like"),
        ("als.npz --like implicit --data data --users gone.txt --seeds 1-2", "one seed at a time"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(cli, place, arguments, said):
    code, out, err = cli("unlearn", *split(arguments), "--out", "less")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert not Path("less").exists()


def test_nothing_is_written_over(cli, place):
    before = digest(Path("als.npz"))
    for out in ("als.npz", "data"):
        code, _, err = cli(*split("unlearn als.npz --like implicit --data data --users gone.txt --out"), out)
        assert (code, err.count("\n")) == (2, 1)
        assert "already exists" in err
    assert digest(Path("als.npz")) == before


def test_what_was_changed_since_is_refused(cli, place):
    keys(cli(*split("unlearn als.npz --like implicit --data data --users gone.txt --out less --json")))
    with np.load("als.npz") as file:
        arrays = dict(file)
    np.savez("als.npz", **arrays | {"user_factors": arrays["user_factors"] + 1})
    code, _, err = cli("audit", "less")
    assert (code, err.count("\n")) == (2, 1)
    assert "no longer the model that less was unlearned from" in err
    Path("als.npz").unlink()
    assert "put it back there" in cli("audit", "less")[2]
    np.savez("less/model/als.npz", **arrays)
    assert "changed since this run was made" in cli("evaluate", "less")[2]


def test_what_needs_our_own_training_is_refused(cli, place):
    keys(cli(*split("unlearn als.npz --like implicit --data data --users gone.txt --out less --json")))
    for arguments in (
        ("audit", "less", "--relearn"),
        ("export", "less", "--to", "vectors", "--out", "x"),
        ("plan", "less"),
    ):
        code, _, err = cli(*arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert "librar" in err


@pytest.mark.parametrize("method", ["retrain", "sisa", "receraser"])
@pytest.mark.parametrize("end", ["--dry-run", "--out less"])
def test_a_model_is_not_trained_anew_by_other_rules_than_its_own(cli, place, method, end):
    command = f"unlearn als.npz --like implicit --data data --users gone.txt --method {method} {end}"
    code, _, err = cli(*split(command))
    assert code == 2
    assert err.splitlines()[-1].endswith("give another model: train it again with implicit on the retained data")
    assert not Path("less").exists()


def test_who_has_a_row_and_no_pair_is_told(cli, place, dataset):
    """Whose pairs were deleted before the model is asked to forget; the list of ids has a byte order mark."""
    names = dataset.users.names.to_list()
    Path("users.txt").write_text("\n".join(names), encoding="utf-8-sig")
    users, items = dataset.users.names.gather(dataset.train.users), dataset.items.names.gather(dataset.train.items)
    pairs = pl.DataFrame({"user": users, "item": items})
    pairs.filter(pl.col("user") != GONE[0]).write_csv("left.csv")
    Path("items.txt").write_text("\n".join(dataset.items.names), encoding="utf-8")
    reading = "--reading users=users.txt --reading items=items.txt"
    command = f"unlearn als.npz --like implicit --data left.csv {reading} --user {GONE[0]} --user {GONE[1]} --dry-run"
    told = "unknown ids have a row in the model, but no pair in the data: give the data that it was trained on: user-3"
    for end, expected in (("", 2), (" --ignore-unknown", 0)):
        code, _, err = cli(*split(command + end))
        assert (code, told in err) == (expected, True), err
    first = f"unlearn als.npz --like implicit --data data {reading} --user {names[0]} --out less"
    keys(cli(*split(f"{first} --json")))
    assert not rows_of(Path("less/model/als.npz"))[0][0].any()


def test_a_table_of_pairs_is_data_enough(cli, place, dataset):
    train = dataset.train
    pairs = {"user": dataset.users.names.gather(train.users), "item": dataset.items.names.gather(train.items)}
    pl.DataFrame(pairs).write_csv("pairs.csv")
    done = keys(
        cli(
            *split("unlearn BPR.pth --like recbole --data pairs.csv --reading users=users.txt"),
            *split("--reading items=items.txt --users gone.txt --out less --json"),
        )
    )
    assert not rows_of(Path(done["model"]))[0][dataset.users.rows(GONE)].any()
    left = jobs.open_run("less").dataset
    assert len(left.train) == (~np.isin(train.users, dataset.users.rows(GONE))).sum()


@pytest.mark.parametrize("way", ["commands", "Python"])
def test_small_requests_owe_their_settling_together(cli, tmp_path, monkeypatch, way):
    """Single pairs, one after another, of rows that were trained here and are told as another library's."""
    monkeypatch.chdir(tmp_path)
    data = Dataset.synthetic(users=80, items=50, interactions=1200)
    files.save(data, Path("data"))
    jobs.train("data", "bprmf", "trained", {"epochs": 8, "batch_size": 128, "learning_rate": 0.02, "dim": 8})
    trained = load("trained").model
    Path("m").mkdir()
    np.save("m/users.npy", trained.users.weight.detach().numpy())
    np.save("m/items.npy", trained.items.weight.detach().numpy())
    pairs = [
        (data.users.names[row], data.items.names[int(data.train.items[data.train.users == row][0])])
        for row in (1, 2, 3)
    ]
    stops = []
    if way == "Python":
        model = vectors.load("m/users.npy", "m/items.npy", data)
        for pair in pairs:
            model = model.unlearn({"pairs": [pair]})
            stops.append(model.stop)
    for number, (user, item) in enumerate(pairs if way == "commands" else ()):
        Path("pair.csv").write_text(f"user,item\n{user},{item}\n", encoding="utf-8")
        model = f"k{number - 1}" if number else "m --like vectors --data data"
        made = keys(cli(*split(f"unlearn {model} --pairs pair.csv --out k{number} --json")))
        stops.append(made["stop"])
    shares = np.cumsum([1 / (len(data.train) - number) for number in range(3)])
    assert [stop.split("; ")[1] for stop in stops] == [
        f"settling is owed for {share:.2%} of the pairs" for share in shares
    ]
