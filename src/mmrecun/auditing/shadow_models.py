"""The likelihood-ratio attack with shadow models: each is trained without a chosen part of what was forgotten."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmrecun.arrays import Bools, Floats, Ints
from mmrecun.auditing.keys import Probe, ProbeKey
from mmrecun.auditing.likelihood_ratio import Attack, check_number, halves, shadow_attack
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.auditing.model_outputs import scored_vectors
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.evaluation.ranking import percentiles
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.progress import Progress
from mmrecun.rng import Seed
from mmrecun.runs import Run
from mmrecun.training.validation import CANNOT_VALIDATE, can_validate
from mmrecun.unlearning.base import Task, UnlearnConfig
from mmrecun.unlearning.registry import method_class
from mmrecun.unlearning.retrain import Retrain

_KEYS = [ProbeKey.named(probe) for probe in (Probe.ATTACK_SCORE, Probe.ATTACK_DETECTED, Probe.ATTACK_WORST)]


@dataclass(frozen=True)
class ShadowAttack:
    """The attack of `likelihood_ratio`: train models like the original, and unlearn each by the method of `run`.

    Attributes:
        original, run: before and after.
        shadows: how many models.
        learned: gives for each shadow what `shadow` returns, where they are made elsewhere; one by one here by default.

    Raises:
        ConfigError: for a number of shadows that cannot be shared out.
    """

    original: Run
    run: Run
    shadows: int
    learned: Callable[[AuditSetup, Progress], Iterable[tuple[Floats, Bools]]] | None = None

    def __post_init__(self) -> None:
        check_number(self.shadows)

    @property
    def note(self) -> str:
        """A note on how the figures were measured."""
        return (
            f"Likelihood-ratio attack: {self.shadows} shadow models were trained like the original, each with another "
            f"random half of what was forgotten, which it then unlearned by '{self.run.manifest.method}'."
        )

    def measure(
        self, setup: AuditSetup, measured: Sequence[MeasuredRun], progress: Progress
    ) -> list[dict[ProbeKey, float | str]]:
        """Return figure -> value, or why there is none, for each run; the original first."""
        scores = [state.forgotten.percentiles for state in measured[1:] if state.forgotten is not None]
        if len(scores) < len(measured) - 1:
            reason = f"a model has no '{setup.branch}' branch any more" if setup.branch else "no pair was forgotten"
            return [_unassessed(reason)] * len(measured)
        try:
            attacks = shadow_attack(scores, *self._shadows(setup, progress))
        except MMRecUnError as error:
            return [_unassessed(str(error))] * len(measured)
        return [_unassessed("asked of models that no longer know the pairs"), *(_figures(attack) for attack in attacks)]

    def _shadows(self, setup: AuditSetup, progress: Progress) -> tuple[Floats, Bools]:
        """Return the forgotten pairs' percentiles in each shadow, and which of them it learned; both [K, N]."""
        scores, inside = zip(*(self.learned or self._one_by_one)(setup, progress), strict=True)
        return np.stack(scores), np.stack(inside)

    def _one_by_one(self, setup: AuditSetup, progress: Progress) -> Iterator[tuple[Floats, Bools]]:
        for number in range(self.shadows):

            def progress_of_one(done: int, total: int, note: str, number: int = number) -> None:
                progress(number, self.shadows, f"shadow models  {done}/{total} {note}")

            yield self.shadow(setup, number, progress_of_one)

    def shadow(self, setup: AuditSetup, number: int, progress: Progress) -> tuple[Floats, Bools]:
        """Train and unlearn shadow `number` (from 0).

        Returns:
            The forgotten pairs' percentiles in it, float64 [N], and which of them it learned, bool [N].
        """
        candidates, seed = Candidates.of(setup), Seed(20).child("shadows")
        half = halves(len(candidates), self.shadows, seed.child("halves").numpy())[number]
        data, learned = without(setup, candidates, ~half)
        pair = scored_vectors(setup.cache.padded(self._shadow(data, seed.child(f"shadow {number}"), progress)), setup)
        assert pair is not None
        return percentiles(*pair, setup.seen, setup.forgotten), learned

    def _shadow(self, data: Dataset, seed: Seed, progress: Progress) -> Recommender:
        """Return a model like the original, trained on `data`, that has unlearned all of it but the retained data."""
        if not can_validate(data):
            raise ForgetError(f"a shadow model would have {CANNOT_VALIDATE}")
        original, run, config = self.original, self.run, self.original.training
        task = Task.of(original.model, Partition.between(original.dataset, data), config, seed, progress)
        model = Retrain(UnlearnConfig()).run(task).model
        partition = Partition.between(data, run.dataset)
        if not any(partition.counts().values()):
            return model
        method = method_class(run.manifest.method)
        settings = method.Config.of(run.manifest.method_settings, str(run.folder))
        return method(settings).run(Task.of(model, partition, config, seed.child("unlearning"), progress)).model


def _unassessed(reason: str) -> dict[ProbeKey, float | str]:
    return dict.fromkeys(_KEYS, reason)


def _figures(attack: Attack | None) -> dict[ProbeKey, float | str]:
    if attack is None:
        return _unassessed("no pair was learned by one shadow and left out by another")
    return dict(zip(_KEYS, (attack.score, attack.detected, attack.worst), strict=True))


@dataclass(frozen=True)
class Candidates:
    """The units from which halves are drawn, in original rows: whole users and items, and pairs of neither.

    Attributes:
        users, items: int64, removed rows; none where a branch is judged.
        pairs: forgotten pairs whose user and item both stayed.
        carriers: int64, items that lost the feature whose branch is judged.
    """

    users: Ints
    items: Ints
    pairs: Interactions
    carriers: Ints

    @classmethod
    def of(cls, setup: AuditSetup) -> "Candidates":
        """Take the candidates from the forgotten pairs under test."""
        partition, pairs = setup.cache.partition, setup.forgotten
        if setup.branch:
            no_rows = np.empty(0, dtype=np.int64)
            none = pairs.select(np.zeros(len(pairs), dtype=bool))
            return cls(no_rows, no_rows, none, np.flatnonzero(partition.removed_features[setup.branch]))
        return cls(
            np.flatnonzero(partition.removed_users),
            np.flatnonzero(partition.removed_items),
            partition.single_pairs.split(Split.TRAIN),
            np.empty(0, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.users) + len(self.items) + len(self.pairs) + len(self.carriers)


def without(setup: AuditSetup, candidates: Candidates, left_out: Bools) -> tuple[Dataset, Bools]:
    """Return the original data without some candidates (bool over users, items, pairs, carriers, in this order).

    Returns:
        The data of a shadow, and bool [N], which of the pairs under test are in them.
    """
    request = _request(setup, candidates, left_out)
    original = setup.cache.partition.original
    if request.empty():
        return original, np.ones(len(setup.forgotten), dtype=bool)
    shadow = Partition.from_request(original, request)
    if setup.branch:
        return shadow.retained, ~np.isin(setup.forgotten.items, candidates.carriers[left_out])
    places = original.interactions.find(setup.forgotten.users, setup.forgotten.items, len(original.items))
    return shadow.retained, shadow.kept[places]


def _request(setup: AuditSetup, candidates: Candidates, left_out: Bools) -> ForgetRequest:
    original, pairs = setup.cache.partition.original, candidates.pairs
    ends = np.cumsum([len(candidates.users), len(candidates.items), len(pairs)])
    users, items, single, carriers = np.split(left_out, ends)
    single_pairs = pairs.select(single)
    lost = _names(original.items, candidates.carriers[carriers])
    return ForgetRequest(
        users=_names(original.users, candidates.users[users]),
        items=_names(original.items, candidates.items[items]),
        pairs=tuple(
            zip(
                _names(original.users, single_pairs.users),
                _names(original.items, single_pairs.items),
                strict=True,
            )
        ),
        modalities={setup.branch: lost} if lost else {},
    )


def _names(ids: IdMap, rows: Ints) -> tuple[str, ...]:
    return tuple(ids.names.gather(rows))
