"""Gold: train again from scratch on the retained data, with the settings of the original training."""

from mmrecun.forget import views
from mmrecun.training.fit import fit
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, untrained_model


class Retrain(Unlearner):
    """Exact by construction: forgotten pairs are read neither as positives nor to exclude negatives."""

    Config = UnlearnConfig
    summary = "Gold: trains again from scratch"
    validates = True

    def run(self, task: Task) -> UnlearnResult:
        """Train a fresh model; `task.training` decides when it stops."""
        retained = task.partition.retained
        fresh = untrained_model(task, retained, task.seed)
        inputs = task.inputs(views.retained, fresh)
        result = fit(
            fresh,
            retained,
            inputs,
            task.training,
            task.seed,
            lambda model: task.validate(model, inputs),
            task.progress,
        )
        stop = f"best validation at epoch {result.best_epoch} of {result.epochs}"
        return UnlearnResult(fresh, stop, result.history, best_epoch=result.best_epoch, valid=result.valid)
