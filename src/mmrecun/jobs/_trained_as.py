"""What was trained, where the model of a run is the plain vectors that a method made of another model."""

from mmrecun import runs
from mmrecun.manifest import TrainedModel
from mmrecun.models.base import Recommender
from mmrecun.models.registry import model_class
from mmrecun.runs import Run
from mmrecun.unlearning.base import Architecture


def trained_as(run: Run) -> Architecture | None:
    """Return what was trained; None where that is a model such as the run's own."""
    known = run.manifest.trained_as
    if known is None:
        return None
    cls = model_class(known.model)
    return Architecture(cls, cls.Config.of(known.settings, str(run.folder / runs.MANIFEST)))


def what_was_trained(parent: Run, model: Recommender) -> TrainedModel | None:
    """Return the same for the manifest of a run whose `model` a method has made of `parent`."""
    if Architecture.of(model) == (trained_as(parent) or Architecture.of(parent.model)):
        return None
    manifest = parent.manifest
    return manifest.trained_as or TrainedModel(model=manifest.model, settings=manifest.settings)


def modalities_read(run: Run) -> tuple[str, ...]:
    """Return the modalities that the model of a run, or the one that its plain vectors were made of, learns from."""
    kind = trained_as(run)
    return run.model.modalities() if kind is None else kind.modalities(run.dataset)
