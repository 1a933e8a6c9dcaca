from pathlib import Path

import pytest
import torch

from mmrecun.errors import ArtifactError
from mmrecun.training.checkpoint import load_weights, save_weights


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
