"""Contract of recommenders; a model's test class inherits it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.data import sparse
from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.errors import ConfigError
from mmrecun.models.base import Recommender, Sizes, transfer_rows
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import load_weights, save_weights
from mmrecun.training.losses import training_loss

CPU = torch.device("cpu")


def build(name: str, dataset: Dataset, seed: int = 1) -> Recommender:
    """Build an untrained model of 8 dimensions for `dataset`."""
    cls = model_class(name)
    return cls(cls.Config(dim=8), Sizes.of_dataset(dataset), Seed(seed).torch())


def scores(model: Recommender, dataset: Dataset) -> torch.Tensor:
    """Compute the scores of all pairs: float32 [U, I]."""
    with torch.no_grad():
        vectors = model.vectors(build_inputs(dataset, model.required_inputs(), CPU))
    return vectors.users @ vectors.items.T


def disturb(model: Recommender) -> Recommender:
    """Move every parameter away from the special values it starts from, so that no zero hides a fault."""
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.1)
    return model


def with_modalities(dataset: Dataset, *names: str) -> Dataset:
    """Return the dataset with these modalities alone."""
    return replace(dataset, modalities={name: dataset.modalities[name] for name in names})


class ModelContract:
    """The tests that every model passes. A subclass states the model's registered `name`."""

    name: str

    def test_settings_survive_a_round_trip(self) -> None:
        """Settings read back from JSON are equal."""
        config = model_class(self.name).Config(dim=5)
        assert type(config).of(config.model_dump(mode="json")) == config

    def test_an_unknown_setting_is_refused(self) -> None:
        """The error suggests the nearest known setting."""
        with pytest.raises(ConfigError, match="did you mean 'dim'"):
            model_class(self.name).Config.of({"dims": 4})

    def test_the_same_seed_gives_the_same_bits(self, dataset: Dataset) -> None:
        """Models of one seed score equally, and differ from those of another."""
        assert torch.equal(scores(build(self.name, dataset), dataset), scores(build(self.name, dataset), dataset))
        assert not torch.equal(
            scores(build(self.name, dataset), dataset), scores(build(self.name, dataset, 2), dataset)
        )

    def test_saved_and_loaded_it_scores_the_same(self, dataset: Dataset, tmp_path: Path) -> None:
        """Weights read from a file give equal parameters and scores."""
        model, other = build(self.name, dataset), build(self.name, dataset, 2)
        save_weights(model, tmp_path / "weights")
        load_weights(other, tmp_path / "weights")
        assert torch.equal(scores(model, dataset), scores(other, dataset))
        for name, value in model.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name

    @pytest.mark.parametrize("names", [(), ("image",), ("image", "audio")])
    def test_any_number_of_modalities(self, dataset: Dataset, names: tuple[str, ...]) -> None:
        """A model can be built with any of the modalities, and scores all pairs."""
        part = with_modalities(dataset, *names)
        model = build(self.name, part)
        assert scores(model, part).shape == (len(part.users), len(part.items))
        assert set(model.modalities()) <= set(names)

    def test_an_absent_modality_scores_as_if_it_did_not_exist(self, dataset: Dataset) -> None:
        """A modality that no item has does not change scores."""
        everything = np.ones(len(dataset.items), dtype=bool)
        modalities = {**dataset.modalities, "audio": dataset.modalities["audio"].without(everything)}
        absent, gone = replace(dataset, modalities=modalities), with_modalities(dataset, "image")
        model = disturb(build(self.name, dataset))
        users, items = np.arange(len(dataset.users)), np.arange(len(dataset.items))
        present = {name: modality.present for name, modality in gone.modalities.items()}
        lesser = transfer_rows(model, Sizes.of_dataset(gone), users, items, present, Seed(0))
        torch.testing.assert_close(scores(model, absent), scores(lesser, gone))

    def test_modalities_that_the_model_lacks_are_not_read(self, dataset: Dataset) -> None:
        """Inputs may have more modalities than the model: those of the data before one was forgotten."""
        image = with_modalities(dataset, "image")
        model = disturb(build(self.name, image))
        torch.testing.assert_close(scores(model, dataset), scores(model, image))

    def test_an_item_without_features_is_not_touched_by_what_stands_in_their_place(self, dataset: Dataset) -> None:
        """Values in the feature rows of absent items do not change scores."""
        image = dataset.modalities["image"]
        junk = np.array(image.features)
        junk[~image.present] = 1e3
        other = replace(dataset, modalities={**dataset.modalities, "image": replace(image, features=junk)})
        model = disturb(build(self.name, dataset))
        assert not image.present.all()
        assert torch.equal(scores(model, dataset), scores(model, other))

    def test_modalities_that_no_item_has_leave_everything_finite(self, dataset: Dataset) -> None:
        """Margins and gradients are finite where no item has features."""
        everything = np.ones(len(dataset.items), dtype=bool)
        modalities = {name: modality.without(everything) for name, modality in dataset.modalities.items()}
        bare = replace(dataset, modalities=modalities)
        model = disturb(build(self.name, bare))
        sampler = NegativeSampler.of_dataset(bare)
        triples = next(iter(bpr_batches(bare.train, sampler, 256, Seed(0).numpy())))
        batch = model.vectors(build_inputs(bare, model.required_inputs(), CPU)).of_triples(triples)
        training_loss(model, batch).backward()
        assert batch.margins().isfinite().all()
        for name, parameter in model.named_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all(), name

    @pytest.mark.parametrize("names", [(), ("image",), ("image", "audio")])
    def test_the_rows_of_a_batch_are_those_of_all_vectors(self, dataset: Dataset, names: tuple[str, ...]) -> None:
        """The vectors of a batch give the same gradients as the same rows of all vectors."""
        part = with_modalities(dataset, *names)
        model = disturb(build(self.name, part))
        inputs = build_inputs(part, model.required_inputs(), CPU)
        sampler = NegativeSampler.of_dataset(part)
        gradients = []
        for size in (16, 256):
            triples = next(iter(bpr_batches(part.train, sampler, size, Seed(0).numpy())))
            for batch in (model.batch_vectors(inputs, triples), model.vectors(inputs).of_triples(triples)):
                model.zero_grad()
                training_loss(model, batch).backward()
                found = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
                gradients.append({name: value.clone() for name, value in found.items()})
        for fast, plain in (gradients[:2], gradients[2:]):
            for name, value in plain.items():
                torch.testing.assert_close(fast[name], value, rtol=5e-2, atol=1e-5 * float(1 + value.abs().max()))

    @pytest.mark.parametrize("names", [(), ("image",), ("image", "audio")])
    def test_a_step_on_a_device_reads_nothing_back(
        self, dataset: Dataset, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The meta device refuses every read from the host; it lacks sparse products, though."""
        monkeypatch.setattr(sparse, "product", lambda matrix, rows: rows.new_empty(len(matrix), rows.shape[1]))
        part, meta = with_modalities(dataset, *names), torch.device("meta")
        model = build(self.name, part).to(meta)
        inputs = build_inputs(part, model.required_inputs(), meta)
        sampler = NegativeSampler.of_dataset(part)
        triples = next(bpr_batches(part.train, sampler, 256, Seed(0).numpy(), meta))
        training_loss(model, model.batch_vectors(inputs, triples)).backward()
        assert model.get_parameter(model.ID_TABLES.users).grad.device == meta

    def test_its_id_tables_have_a_row_for_every_user_and_item(self, dataset: Dataset) -> None:
        """The two ID tables have U and I rows."""
        model = build(self.name, dataset)
        users, items = model.id_tables().values()
        assert (users.side, len(users.weight), users.modality) == ("users", len(dataset.users), None)
        assert (items.side, len(items.weight), items.modality) == ("items", len(dataset.items), None)

    def test_every_parameter_learns(self, dataset: Dataset) -> None:
        """After an epoch every parameter has a finite gradient that is not zero."""
        model = build(self.name, dataset)
        inputs = build_inputs(dataset, model.required_inputs(), CPU)
        sampler = NegativeSampler.of_dataset(dataset)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for triples in bpr_batches(dataset.train, sampler, 256, Seed(0).numpy()):
            batch = model.vectors(inputs).of_triples(triples)
            optimizer.zero_grad()
            training_loss(model, batch).backward()
            optimizer.step()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name

    def test_transferred_rows_stay_and_new_ones_are_untrained(self, dataset: Dataset) -> None:
        """Kept rows and shared parameters are copied, and rows of new items are drawn anew."""
        model = disturb(build(self.name, dataset))
        before = {name: value.clone() for name, value in model.state_dict().items()}
        users = np.arange(3, len(dataset.users))
        items = np.append(np.arange(2, len(dataset.items)), -1)
        widths = Sizes.of_dataset(dataset).widths
        present = {name: np.append(m.present[2:], True) for name, m in dataset.modalities.items()}
        assert not all(there.all() for there in present.values())
        other = transfer_rows(
            model, Sizes(users=len(users), items=len(items), widths=widths), users, items, present, Seed(9)
        )
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        for name, table in other.tables().items():
            kept = before[name][3:] if table.side == "users" else before[name][2:]
            there = np.ones(len(kept), dtype=bool) if table.feature is None else present[table.feature][:-1]
            assert torch.equal(table.weight[: len(kept)][there], kept[there]), name
            old = {row.tobytes() for row in before[name].numpy()}
            fresh = torch.cat([table.weight[: len(kept)][~there], table.weight[len(kept) :]]).detach().numpy()
            assert not old & {row.tobytes() for row in fresh}, name
        for name in before.keys() - other.tables().keys():
            assert torch.equal(other.state_dict()[name], before[name]), name
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(1)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
