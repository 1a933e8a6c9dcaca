import pytest
import torch

from mmrecun.device import resolve
from mmrecun.errors import ConfigError


def test_names_of_devices():
    assert resolve("cpu") == torch.device("cpu")
    assert resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["mps", "gpu", "cpu:x", "", None])
def test_other_devices_are_refused(name: str):
    with pytest.raises(ConfigError, match="choose auto, cpu, cuda or cuda:N"):
        resolve(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ConfigError, match="no CUDA device was found"):
        resolve("cuda")
