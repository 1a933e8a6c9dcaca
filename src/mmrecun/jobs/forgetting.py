"""Take things out of a run, or say what would be taken out."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmrecun import lineage
from mmrecun.data import files
from mmrecun.data.forget import ForgetRequest, Partition, take_out
from mmrecun.data.requested import Requested
from mmrecun.errors import ForgetError
from mmrecun.jobs.opening import PathLike, opened
from mmrecun.jobs.training import CANNOT_VALIDATE, can_validate, validation_score
from mmrecun.lineage import Manifest, Run
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.staging import refuse_existing, staged_folder
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import Report, silent
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.registry import method_class


def scope(run: Run | PathLike, request: ForgetRequest) -> dict[str, Any]:
    """What an unlearning would take out, without doing it."""
    asked = opened(run)
    parts = take_out(asked.dataset, request)
    unread = sorted(set(parts.lost_features) - set(asked.model.modalities()))
    return {
        "parent": str(asked.folder),
        "forgotten": parts.counts(),
        "share": len(parts.forgotten) / len(asked.dataset.train),
        "retained": {
            "users": len(parts.retained.users),
            "items": len(parts.retained.items),
            "interactions": len(parts.retained.train),
        },
        "warnings": [f"'{asked.manifest.model}' does not read the modality '{name}'" for name in unread],
    }


def unlearn(
    run: Run | PathLike,
    request: ForgetRequest,
    out: PathLike,
    method: str = "mmrecun",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Manifest:
    """Take what `request` names out of a run and write the new run, with its retained dataset, to `out`.

    The run given is never changed. Returns the new manifest.
    """
    started = time.perf_counter()
    out = Path(out)
    refuse_existing(out)
    unlearner = method_class(method)(method_class(method).Config.of(settings or {}, f"method '{method}'"))
    parent = opened(run)
    parts = take_out(parent.dataset, request)
    if method == "retrain" and not can_validate(parts.retained):
        raise ForgetError(f"the request leaves {CANNOT_VALIDATE}; Gold needs some: forget fewer validation pairs")
    result = unlearner.run(task_of(parent.model, parts, parent.training, Seed(seed), report))
    facts = {
        "seed": seed,
        "parent": lineage.reference(parent.folder, parent.weights, out),
        "method": method,
        "method_settings": unlearner.settings.model_dump(mode="json"),
        "stop": result.stop,
        "setup_seconds": result.setup_seconds,
        "best_epoch": result.best_epoch,
        "epochs": len(result.history),
        "valid": result.valid,
        **_of_request(parent, request, parts),
    }
    with staged_folder(out) as staging:
        (staging / lineage.DATASET).mkdir()
        files.write_into(parts.retained, staging / lineage.DATASET)
        seconds = time.perf_counter() - started - result.setup_seconds
        manifest = lineage.stamped(result.model, seconds=seconds, **facts)
        lineage.write(staging, manifest, result.model, result.history)
    return manifest


def _of_request(parent: Run, request: ForgetRequest, parts: Partition) -> dict[str, Any]:
    """What a manifest says of the request and of the data that it leaves."""
    identity = f"{parent.dataset.digest} {request.model_dump_json()}"
    return {
        "training": parent.manifest.training,
        "dataset": lineage.Reference(path=lineage.DATASET, digest=parts.retained.digest),
        "dataset_name": parts.retained.name,
        "request_digest": hashlib.sha256(identity.encode()).hexdigest(),
        "requested": Requested.by(request, parent.manifest.requested),
        "forgotten": parts.counts(),
    }


def task_of(model: Recommender, parts: Partition, training: TrainConfig, seed: Seed, report: Report = silent) -> Task:
    """What a method is given; models are validated on the retained validation pairs."""
    return Task(
        model,
        parts,
        training,
        seed,
        lambda current, inputs: validation_score(current, inputs, parts.retained),
        report,
    )
