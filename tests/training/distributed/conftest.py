"""The dataset that several processes share."""

from pathlib import Path

import pytest

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.mapped_import import open_mapped


@pytest.fixture(scope="package")
def folder(tmp_path_factory) -> Path:
    """301 users: the last of two processes has fewer. Some items lack a modality."""
    out = tmp_path_factory.mktemp("shared") / "data"
    files.save(Dataset.synthetic(users=301, items=120, interactions=4000), out)
    open_mapped(out)
    return out
