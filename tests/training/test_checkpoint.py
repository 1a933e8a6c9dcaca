from pathlib import Path

import pytest
import torch

from mmrecun.errors import ArtifactError
from mmrecun.training.checkpoint import TrainState, load_train_state, load_weights, save_train_state, save_weights


def test_a_missing_a_damaged_and_a_foreign_file_are_told_apart(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    model = torch.nn.Linear(2, 3)
    with pytest.raises(ArtifactError, match="no such file"):
        load_weights(model, path)
    path.write_bytes(b"not tensors")
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        load_weights(model, path)
    save_weights(torch.nn.Linear(5, 3), path)
    with pytest.raises(ArtifactError, match="do not fit the model"):
        load_weights(model, path)


def test_nothing_to_resume_is_a_fresh_start(tmp_path: Path):
    model = torch.nn.Linear(2, 3)
    assert load_train_state(tmp_path / "none", "key", model, torch.optim.Adam(model.parameters())) == TrainState()


def test_a_state_that_cannot_be_resumed_is_one_clear_error(tmp_path: Path):
    path = tmp_path / "state"
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    save_train_state(path, "key", TrainState(epoch=1, history=[{"epoch": 1, "loss": 0.5}]), model, optimizer)
    assert load_train_state(path, "key", model, optimizer).history == [{"epoch": 1, "loss": 0.5}]
    for content in (path.read_bytes()[:40], b""):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="cannot be resumed"):
            load_train_state(path, "key", model, optimizer)
    save_weights(model, path)
    with pytest.raises(ArtifactError, match="other data, settings or seed"):
        load_train_state(path, "key", model, optimizer)
