"""Contract of adapters of model files; an adapter's test class inherits it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.registry import adapter_class
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError, ConfigError, MMRecUnError
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.inference import vectors_of


@dataclass(frozen=True)
class SavedModel:
    """A model file as its own library wrote it.

    Attributes:
        path: file of the model.
        data: what it was trained on.
        users, items: ids of its rows in order; None where that is the order of the data.
        settings: settings by which it is read.
        unlearning: settings of the unlearning, for models too small to be solved for.
    """

    path: Path
    data: Dataset
    users: Sequence[str] | None = None
    items: Sequence[str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    unlearning: Mapping[str, Any] = field(default_factory=dict)


class AdapterContract:
    """The test class states the adapter's registered `name` and has a fixture `saved` that gives a `SavedModel`."""

    name: str

    def adapter(self, saved: SavedModel, **settings: Any) -> Adapter:
        """Return the adapter with the settings of `saved` and further ones."""
        cls = adapter_class(self.name)
        return cls(cls.Config.of({**saved.settings, **settings}))

    def read(self, saved: SavedModel) -> ForeignModel:
        """Read the file."""
        return self.adapter(saved).read(saved.path, saved.data, saved.users, saved.items)

    def less(self, saved: SavedModel) -> ForeignModel:
        """Return the model without the first user and the first item of its training pairs."""
        pairs = saved.data.train
        user, item = saved.data.users.names[int(pairs.users[0])], saved.data.items.names[int(pairs.items[0])]
        return self.read(saved).unlearn(ForgetRequest(users=[user], items=[item]), settings=saved.unlearning)

    def test_what_is_written_is_read_again(self, saved: SavedModel, tmp_path: Path) -> None:
        """In the same rows, with the same scores."""
        less = self.less(saved)
        path = tmp_path / f"less-again{less.artifact.suffix}"
        less.save(path)
        ids = less.row_map.order(less.dataset)
        again = self.adapter(saved).read(path, less.dataset, *ids)
        one, other = (vectors_of(model.model, model.dataset) for model in (less, again))
        torch.testing.assert_close(one.users @ one.items.T, other.users @ other.items.T, rtol=1e-4, atol=1e-5)
        assert again.row_map.sizes == less.row_map.sizes or less.artifact.suffix == ""

    def test_whoever_stays_is_still_scored(self, saved: SavedModel) -> None:
        """All vectors are finite, one for each user and item that stays."""
        less = self.less(saved)
        vectors = vectors_of(less.model, less.dataset)
        assert (len(vectors.users), len(vectors.items)) == (len(saved.data.users) - 1, len(saved.data.items) - 1)
        assert vectors.users.isfinite().all()
        assert vectors.items.isfinite().all()
        assert less.limits
        assert less.stop

    def test_the_file_stays_as_it_was_and_none_is_written_over(self, saved: SavedModel) -> None:
        """Neither by reading nor by unlearning."""
        files = [saved.path] if saved.path.is_file() else sorted(saved.path.rglob("*.*"))
        before = [path.read_bytes() for path in files]
        less = self.less(saved)
        with pytest.raises(ArtifactError, match="already exists"):
            less.save(saved.path)
        assert [path.read_bytes() for path in files] == before

    def test_a_broken_file_is_one_clear_line(self, saved: SavedModel, tmp_path: Path) -> None:
        """So is a file that is not there."""
        broken = tmp_path / f"broken{saved.path.suffix}"
        broken.write_bytes(b"\x80\x04no model at all")
        for path in (broken, tmp_path / f"nowhere{saved.path.suffix}"):
            with pytest.raises(MMRecUnError) as refused:
                self.adapter(saved).read(path, saved.data, saved.users, saved.items)
            assert "\n" not in str(refused.value)
            assert path.name in str(refused.value)

    def test_an_unknown_setting_is_refused(self, saved: SavedModel) -> None:
        """The error suggests the nearest known one."""
        with pytest.raises(ConfigError, match="did you mean 'users'"):
            self.adapter(saved, userz="ids.txt")
