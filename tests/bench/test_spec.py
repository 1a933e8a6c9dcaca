from pathlib import Path

import pytest

from mmrecun.bench.datasets import open_dataset
from mmrecun.bench.shipped import shipped
from mmrecun.bench.spec import load, parse
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ConfigError

SPEC = {
    "name": "small",
    "datasets": [{"name": "made", "synthetic": {"users": 40}}],
    "backbones": ["bprmf"],
    "requests": [{"target": "users", "ratio": 0.1}],
    "methods": ["mmrecun"],
}

MISTAKES = {
    "unknown key": ({"seed": [1]}, "bench.toml: seed: unknown key 'seed'; did you mean 'seeds'?"),
    "unknown key below": (
        {"requests": [{"target": "users", "ratoi": 0.1}]},
        "bench.toml: requests[0].ratoi: unknown key 'ratoi'; did you mean 'ratio'?",
    ),
    "unknown synthetic": (
        {"datasets": [{"name": "made", "synthetic": {"usrs": 40}}]},
        "bench.toml: datasets[0].synthetic.usrs: unknown key 'usrs'; did you mean 'users'?",
    ),
    "missing": ({"requests": [{"ratio": 0.1}]}, "bench.toml: requests[0].target: is missing"),
    "no strategy": (
        {"requests": [{"target": "users", "strategy": "heads", "ratio": 0.1}]},
        "bench.toml: requests[0].strategy: input should be 'random'",
    ),
    "wrong type": ({"golds": "many"}, "bench.toml: golds: input should be a valid integer"),
    "no seeds": ({"seeds": []}, "bench.toml: seeds: is empty"),
    "repeated": ({"methods": ["mmrecun", "mmrecun"]}, "bench.toml: 'mmrecun' occurs more than once in methods"),
    "reserved": ({"methods": [{"method": "retrain", "name": "gold"}]}, "bench.toml: 'gold' is the name of a reference"),
    "model": ({"backbones": ["bprfm"]}, "bench.toml: backbones[0]: unknown model 'bprfm'; did you mean 'bprmf'?"),
    "setting": (
        {"backbones": [{"model": "bprmf", "settings": {"layers": 2}}]},
        "bench.toml: backbones[0]: unknown setting 'layers'",
    ),
    "method": ({"methods": ["mmrecum"]}, "bench.toml: methods[0]: unknown method 'mmrecum'; did you mean 'mmrecun'?"),
    "method setting": (
        {"methods": ["unlink", {"method": "mmrecun", "settings": {"epohcs": 2}}]},
        "bench.toml: methods[1]: method 'mmrecun': unknown setting 'epohcs'",
    ),
    "one table": (
        {"datasets": {"name": "made", "synthetic": {}}},
        "bench.toml: datasets: should be a list in brackets; tables of a list are written [[datasets]]",
    ),
    "no table": ({"methods": [3]}, "bench.toml: methods[0]: should be a table of names and values"),
    "settings": (
        {"methods": [{"method": "unlink", "settings": 3}]},
        "bench.toml: methods[0].settings: should be a table of names and values",
    ),
    "seed beyond": ({"seeds": [1 << 63]}, "bench.toml: seeds[0]: input should be less than 9223372036854775808"),
    "seed of truth": ({"seeds": [True]}, "bench.toml: seeds[0]: should be a number"),
    "seed of a Gold": ({"seeds": [0, 1002]}, "bench.toml: seeds: 1002 is that of a Gold"),
    "ids": (
        {"requests": [{"target": "pairs", "strategy": "sensitive", "ratio": 0.1, "items": [1.5]}]},
        "bench.toml: requests[0].items[0]: input should be a valid string",
    ),
    "two sources": (
        {"datasets": [{"name": "made", "path": "x", "synthetic": {}}]},
        "bench.toml: datasets[0]: dataset 'made' needs either a path or synthetic sizes",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_names_file_and_key_in_one_line(case: str):
    change, message = MISTAKES[case]
    with pytest.raises(ConfigError) as caught:
        parse({**SPEC, **change}, "bench.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_ids():
    request = {"target": "pairs", "strategy": "sensitive", "ratio": 0.1, "items": [31, "i7"]}
    assert parse({**SPEC, "requests": [request]}, "bench.toml").requests[0].items == ("31", "i7")


def test_names_alone_stand_for_entries():
    spec = parse(SPEC, "bench.toml")
    assert spec.methods[0].label == spec.methods[0].method == "mmrecun"
    assert spec.backbones[0].settings == {}
    assert spec.seeds == (0, 1, 2)


@pytest.mark.parametrize("name", shipped())
def test_shipped_specs_are_sound(name: str):
    spec, base = load(name)
    assert spec.name == name
    assert base == Path()
    assert "mmrecun" in {method.method for method in spec.methods}


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path):
    assert shipped() == ["amazon", "baby", "quick", "tiktok"]
    with pytest.raises(ConfigError, match="unknown spec 'quik'; did you mean 'quick'"):
        load("quik")
    with pytest.raises(ConfigError, match="no such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(str(tmp_path / "broken.toml"))


def dataset_of(**values):
    return parse({**SPEC, "datasets": [values]}, "bench.toml").datasets[0]


def test_data_come_from_folders_files_and_thin_air(
    dataset: Dataset, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spec = dataset_of(name="small", path=data_folder.name)
    assert open_dataset(spec, data_folder.parent).digest == dataset.digest
    with pytest.raises(ConfigError, match="is not at"):
        open_dataset(spec, tmp_path)
    monkeypatch.setenv("MMRECUN_DATA", str(data_folder.parent))
    assert open_dataset(spec, tmp_path).digest == dataset.digest

    (tmp_path / "table").mkdir()
    lines = [f"u{user},i{item},{'valid' if item == user else 'test' if item == user + 1 else 'train'}"
             for user in range(4) for item in range(6)]  # fmt: skip
    (tmp_path / "table" / "events.csv").write_text("\n".join(["who,what,part", *lines]))
    (tmp_path / "table" / "items.csv").write_text("\n".join(["id,licensor", *(f"i{item},X" for item in range(6))]))
    options = {"user": "who", "item": "what", "split_column": "part", "items": "items.csv"}
    read = open_dataset(dataset_of(name="events", path="table/events.csv", options=options), tmp_path)
    assert (read.name, len(read.users), len(read.items)) == ("events", 4, 6)
    assert read.item_attributes["licensor"].to_list() == ["X"] * 6
    with pytest.raises(ConfigError, match="options of dataset 'events': unknown setting 'usr'"):
        open_dataset(dataset_of(name="events", path="table/events.csv", options={"usr": "who"}), tmp_path)
    assert len(open_dataset(dataset_of(name="made", synthetic={"users": 40}), tmp_path).users) == 40
