"""The likelihood-ratio attack with shadow models: a probe of an audit that trains and unlearns them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmrecun import runs
from mmrecun.arrays import Bools, Floats
from mmrecun.auditing.assess import AuditedRun, SlowFigures, SlowProbe
from mmrecun.auditing.likelihood_ratio import Attack, check_number, halves, shadow_attack
from mmrecun.auditing.measure import MeasuredRun, scored_vectors
from mmrecun.auditing.setup import AuditSetup
from mmrecun.auditing.shadow_data import Candidates, without
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.evaluation.ranking import percentiles
from mmrecun.forget.partition import Partition
from mmrecun.jobs._unlearn import task_of
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.runs import PathLike, Run
from mmrecun.training.loop import Progress
from mmrecun.training.validation import CANNOT_VALIDATE, can_validate
from mmrecun.unlearning.base import UnlearnConfig
from mmrecun.unlearning.registry import method_class
from mmrecun.unlearning.retrain import Retrain

_NAMES = [f"attack_{name}" for name in Attack._fields]


def attack_probe(original: Run, run: Run, shadows: int, progress: Progress) -> SlowProbe:
    """The likelihood-ratio attack of `audit.attack`: trains `shadows` models and unlearns each by the method of `run`.

    Raises:
        ConfigError: for a number of shadows that cannot be shared out.
    """
    check_number(shadows)

    def measure(setup: AuditSetup, _: Sequence[AuditedRun], measured: Sequence[MeasuredRun]) -> list[SlowFigures]:
        scores = [state.forgotten.percentiles for state in measured[1:] if state.forgotten is not None]
        if len(scores) < len(measured) - 1:
            reason = f"a model has no '{setup.branch}' branch any more" if setup.branch else "no pair was forgotten"
            return [_open(reason)] * len(measured)
        try:
            attacks = shadow_attack(scores, *_shadows(original, run, setup, shadows, progress))
        except MMRecUnError as error:
            return [_open(str(error))] * len(measured)
        return [_open("asked of models that no longer know the pairs"), *(_attacked(attack) for attack in attacks)]

    note = (
        f"Likelihood-ratio attack: {shadows} shadow models were trained like the original, each with another random "
        f"half of what was forgotten, which it then unlearned by '{run.manifest.method}'."
    )
    return SlowProbe(note, measure)


def _open(reason: str) -> SlowFigures:
    return SlowFigures(unassessed=dict.fromkeys(_NAMES, reason))


def _attacked(attack: Attack | None) -> SlowFigures:
    if attack is None:
        return _open("no pair was learned by one shadow and left out by another")
    return SlowFigures(dict(zip(_NAMES, attack, strict=True)))


def _shadows(original: Run, run: Run, setup: AuditSetup, shadows: int, progress: Progress) -> tuple[Floats, Bools]:
    """Percentiles of the forgotten pairs in each shadow, and which of them it learned and unlearned; both [K, N]."""
    candidates, seed = Candidates.of(setup), Seed(20).child("shadows")
    scores, inside = [], []
    for number, half in enumerate(halves(len(candidates), shadows, seed.child("halves").numpy())):
        data, learned = without(setup, candidates, ~half)

        def progress_of_one(done: int, total: int, note: str, number: int = number) -> None:
            progress(number, shadows, f"shadow models  {done}/{total} {note}")

        model = _shadow(original, run, data, seed.child(f"shadow {number}"), progress_of_one)
        pair = scored_vectors(setup.cache.padded(model), setup)
        assert pair is not None
        scores.append(percentiles(*pair, setup.seen, setup.forgotten))
        inside.append(learned)
    return np.stack(scores), np.stack(inside)


def _shadow(original: Run, run: Run, data: Dataset, seed: Seed, progress: Progress) -> Recommender:
    """A model like the original, trained on `data`, that has unlearned all of it but the retained data."""
    if not can_validate(data):
        raise ForgetError(f"a shadow model would have {CANNOT_VALIDATE}")
    config = original.training
    task = task_of(original.model, Partition.between(original.dataset, data), config, seed, progress)
    model = Retrain(UnlearnConfig()).run(task).model
    partition = Partition.between(data, run.dataset)
    if not any(partition.counts().values()):
        return model
    method = method_class(run.manifest.method)
    settings = method.Config.of(run.manifest.method_settings, str(run.folder))
    return method(settings).run(task_of(model, partition, config, seed.child("unlearning"), progress)).model


def shadow_seconds(run: PathLike, shadows: int) -> float:
    """About how long so many shadow models take, each as long as the original's training and the unlearning.

    Raises:
        ArtifactError: when `run` is no run, was trained, or its parent is gone.
        ConfigError: for a number of shadows that cannot be shared out.
    """
    check_number(shadows)
    folder = Path(run)
    manifest = runs.read_manifest(folder)
    unlearning = manifest.seconds + manifest.setup_seconds
    folder = runs.parent_folder(folder, manifest)
    manifest = runs.read_manifest(folder)
    training = manifest.seconds
    while manifest.parent is not None and (folder / manifest.parent.path).is_dir():
        folder = (folder / manifest.parent.path).resolve()
        manifest = runs.read_manifest(folder)
        training = max(training, manifest.seconds)
    return shadows * (training + unlearning)
