"""Malicious checkpoints: nothing of theirs runs, and each is refused in one line."""

import contextlib
import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmrecun.adapters import checkpoints
from mmrecun.adapters.checkpoint_file import CheckpointFile
from mmrecun.adapters.inert_pickle import Inert, read_inert
from mmrecun.adapters.stored_tensor import StoredTensor
from mmrecun.errors import ArtifactError
from tests.adapters import malice


def test_there_are_more_than_a_hundred(tmp_path):
    assert len(malice.programs(str(tmp_path / "mark"))) >= 100


def test_of_a_hundred_malicious_checkpoints_none_runs(tmp_path, dataset):
    mark, path = tmp_path / "mark", tmp_path / "model.pth"
    for name, (program, _) in malice.programs(str(mark)).items():
        malice.archive(path, program)
        with pytest.raises(ArtifactError) as refused:
            checkpoints.load(path, "state_dict/users", "state_dict/items", dataset)
        assert not mark.exists(), name
        assert "\n" not in str(refused.value), name
        assert str(path) in str(refused.value), name


def test_the_same_programs_do_run_in_an_ordinary_unpickler(tmp_path):
    """Otherwise the test above would say nothing."""
    calls = {"makedirs global reduce", "mkdir stack in a state dict", "exec obj", "eval inst", "copy global as a key"}
    for number, name in enumerate(sorted(calls)):
        mark = tmp_path / f"mark{number}"
        program, runs = malice.programs(str(mark))[name]
        assert runs
        malice.runs_in_python(program)
        assert mark.exists(), name


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x04Nr\xff\xff\xff\x7f.",  # a memo of two thousand million places
        b"\x80\x04N\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes beyond the end
        b"\x80\x04\x82\x01.",  # an extension
        b"\x80\x04" + b"(" * 100_000,
        b"\x80\xff.",
        b"",
        b"Z",
        b"\x80\x04N",
    ],
    ids=["memo", "length", "extension", "marks", "protocol", "empty", "unknown", "unfinished"],
)
def test_what_could_fill_the_memory_or_is_damaged_is_refused(program):
    with pytest.raises(ArtifactError, match=r"model\.pth: not a readable checkpoint"):
        read_inert(program, "model.pth")


def test_any_damage_is_refused_or_harmless(tmp_path):
    state = OrderedDict(users=torch.ones(2, 3), items=torch.zeros(4, 3))
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "good.pth")
    good = next(value for name, value in CheckpointFile.read(tmp_path / "good.pth").entries.items() if "pkl" in name)
    chance = random.Random(0)
    for _ in range(500):
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(ArtifactError):
            read_inert(bytes(damaged), "model.pth")


class Config:
    """Of a library that is not there when the file is read."""

    def __init__(self):
        self.values = {"a": [1, 2]}


def test_a_strange_object_is_inert_and_tables_beside_it_are_read():
    content = pickle.dumps({"config": Config(), "number": np.float64(2.0), "kinds": {1, 2}}, protocol=4)
    read = read_inert(content, "model.pth")
    assert type(read["config"]) is Inert
    assert vars(read["config"]) == {}
    assert read["kinds"] == {1, 2}


def test_tensors_become_records_that_look_into_the_file(tmp_path):
    values = torch.arange(12, dtype=torch.float32).reshape(4, 3)
    model = {"config": Config(), "state_dict": OrderedDict(table=torch.nn.Parameter(values), part=values[1:3])}
    torch.save(model, tmp_path / "model.pth", pickle_protocol=4)
    file = CheckpointFile.read(tmp_path / "model.pth")
    assert set(file.tensors) == {"state_dict/table", "state_dict/part"}
    assert all(type(tensor) is StoredTensor for tensor in file.tensors.values())
    np.testing.assert_array_equal(file.array("state_dict/table"), values.numpy())
    np.testing.assert_array_equal(file.array("state_dict/part"), values[1:3].numpy())
