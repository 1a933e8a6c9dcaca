"""The groups of a bench: one dataset, backbone and request each, and the rows that they will have."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmrecun.bench.cache import training_facts
from mmrecun.bench.datasets import open_dataset
from mmrecun.bench.results import Key, Row
from mmrecun.bench.scenarios import RequestSpec, Scenario, resolve
from mmrecun.bench.spec import GOLD, GOLD_SEED, ORIGINAL, Backbone, BenchSpec, Method
from mmrecun.errors import ConfigError, DataError, ForgetError
from mmrecun.rng import Seed
from mmrecun.scale.piece import digest_of


@dataclass(frozen=True)
class Group:
    """One dataset, backbone and request.

    Attributes:
        dataset: label.
        backbone, request: entries of the spec.
        scenario: the request resolved for the dataset, or the reason why it does not fit.
        spec: the whole bench.
    """

    dataset: str
    backbone: Backbone
    request: RequestSpec
    scenario: Scenario | str
    spec: BenchSpec

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Numbers of requests after which there are rows."""
        return (1,) if isinstance(self.scenario, str) else self.scenario.checkpoints

    def key(self, checkpoint: int, method: str, seed: int) -> Key:
        """Return the key of a row."""
        stated = self.request.ratio or 0.0
        share = stated if isinstance(self.scenario, str) else self.scenario.ratio * checkpoint / self.checkpoints[-1]
        return Key(
            dataset=self.dataset,
            model=self.backbone.label,
            request=self.request.label,
            target=self.request.target.value,
            strategy=self.request.strategy.value,
            ratio=share,
            requests=checkpoint,
            method=method,
            seed=seed,
        )

    def digest(self, checkpoint: int, facts: dict[str, Any]) -> str:
        """Return a digest of everything that affects a row: data, training, request, Golds, columns, method `facts`."""
        assert not isinstance(self.scenario, str)
        whole = {
            **self._training,
            "data": self.scenario.dataset.digest,
            "steps": [step.model_dump(mode="json") for step in self.scenario.steps[:checkpoint]],
            "golds": self.spec.golds,
            "columns": sorted(Row.model_fields),
            **facts,
        }
        return digest_of(whole)

    @cached_property
    def _training(self) -> dict[str, Any]:
        return training_facts(self.backbone)

    def row_keys(self) -> Iterator[Key]:
        """Yield the keys of the group's rows, in the order of the table."""
        for checkpoint in self.checkpoints:
            for seed in self.spec.seeds:
                yield self.key(checkpoint, ORIGINAL, seed)
            for number in range(self.spec.golds):
                yield self.key(checkpoint, GOLD, GOLD_SEED + number)
            for method in self.spec.methods:
                for seed in self.spec.seeds:
                    yield self.key(checkpoint, method.label, seed)

    def row_digests(self) -> dict[Key, str]:
        """Return what each row is about -> the digest of all that decides it, in the order of the table."""
        methods = {method.label: method for method in self.spec.methods}
        return {
            key: self.digest(
                key.requests,
                method_facts(methods[key.method], key.seed)
                if key.method in methods
                else reference_facts(key.method, key.seed, self.spec.seeds[0]),
            )
            for key in self.row_keys()
        }


def method_facts(method: Method, seed: int) -> dict[str, Any]:
    """Return what affects a row of an unlearning method besides its group."""
    return {"method": method.method, "method_settings": method.config().model_dump(mode="json"), "method_seed": seed}


def reference_facts(name: str, seed: int, first: int) -> dict[str, Any]:
    """Return the same for an Original or a Gold, which is audited beside the Original of the seed `first`."""
    facts: dict[str, Any] = {"reference": name, "method_seed": seed}
    return facts | {"beside": first} if name == GOLD else facts


def groups(spec: BenchSpec, base: Path) -> list[Group]:
    """Return every group of the bench, with its request resolved.

    Raises:
        ConfigError: when a request fits none of the datasets.
        DataError: when a dataset cannot be read.
    """
    datasets = {entry.label: open_dataset(entry, base) for entry in spec.datasets}
    found: list[Group] = []
    scenarios: dict[tuple[str, str], Scenario | str] = {}
    for place, request in enumerate(spec.requests):
        seed = Seed(spec.request_seed).child(request.model_copy(update={"name": ""}).label)
        for name, dataset in datasets.items():
            try:
                scenarios[name, request.label] = resolve(request, dataset, seed, base)
            except (ForgetError, DataError) as error:
                scenarios[name, request.label] = str(error)
        reasons = [scenarios[name, request.label] for name in datasets]
        if all(isinstance(reason, str) for reason in reasons):
            raise ConfigError(f"{spec.name}: requests[{place}]: {reasons[0]}")
    for name in datasets:
        for backbone in spec.backbones:
            for request in spec.requests:
                found.append(Group(name, backbone, request, scenarios[name, request.label], spec))
    return found
