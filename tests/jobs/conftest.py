"""The dataset of the jobs that train on disk or in several processes."""

from pathlib import Path

import pytest

from mmrecun import Dataset
from mmrecun.data import files


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Have a folder of its own in each module, beside which runs may lie."""
    out = tmp_path_factory.mktemp("job") / "data"
    files.save(Dataset.synthetic(users=151, items=70, interactions=2000), out)
    return out
