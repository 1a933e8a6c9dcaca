"""The use cases: train, evaluate, recommend, unlearn, audit. The only place where the stages meet."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from mmrecun import lineage
from mmrecun.audit.audit import Subject, assess
from mmrecun.audit.probes import vectors_of
from mmrecun.audit.verdict import AuditReport
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, partition, retain
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.data.interactions import Split
from mmrecun.data.requested import Requested
from mmrecun.device import prepare, resolve
from mmrecun.errors import ArtifactError, ConfigError, DataError, ForgetError
from mmrecun.evaluation.evaluate import RankingReport, evaluate_split
from mmrecun.evaluation.ranking import score_pairs, top_k
from mmrecun.lineage import Manifest, Run
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class, model_name
from mmrecun.report.page import render
from mmrecun.rng import Seed
from mmrecun.settings import Settings, unknown_name
from mmrecun.staging import refuse_existing, replace_file, staged_folder
from mmrecun.training.fit import Recovery, TrainConfig, fit
from mmrecun.training.loop import Report, silent
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.registry import method_class

PathLike = str | Path
First = TypeVar("First", bound=Settings)
Second = TypeVar("Second", bound=Settings)
VALIDATION_CUTOFF = 20
_CANNOT_VALIDATE = "no validation pair of a user with training pairs, so no epoch could be chosen"


def load(run: PathLike, device: str = "auto") -> Run:
    """Read a run folder with its model and dataset."""
    prepare()
    return lineage.load(Path(run), resolve(device))


def train(
    data: PathLike,
    model: str,
    out: PathLike,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    report: Report = silent,
) -> Manifest:
    """Train `model` on the dataset folder `data` and write the run to `out`; returns its manifest.

    `settings` are those of the model and of `TrainConfig` together. An interrupted training leaves a file beside
    `out`; the same call goes on from there.
    """
    prepare()
    out, data = Path(out), Path(data)
    refuse_existing(out)
    cls = model_class(model)
    config, training = split_settings(cls.Config, TrainConfig, settings or {})
    dataset = files.load(data)
    if not _can_validate(dataset):
        raise DataError(
            f"{data}: {_CANNOT_VALIDATE}; import it again with a split that has some, such as --split random"
        )
    place = resolve(device)
    started = time.perf_counter()
    recommender = cls(config, Sizes.of_dataset(dataset), Seed(seed).child("model").torch())
    recommender.to(place)
    inputs = build_inputs(dataset, recommender.spec(), place)
    key = f"{dataset.digest} {model} {config.model_dump_json()} {training.model_dump_json()} {seed}"
    recovery = Recovery(resume_file(out), hashlib.sha256(key.encode()).hexdigest())
    out.parent.mkdir(parents=True, exist_ok=True)
    result = fit(
        recommender,
        dataset,
        inputs,
        training,
        Seed(seed),
        lambda current: validation_score(current, inputs, dataset),
        report,
        recovery,
    )
    manifest = Manifest(
        model=model,
        settings=config.model_dump(mode="json"),
        training=training.model_dump(mode="json"),
        seed=seed,
        dataset=lineage.reference(data, dataset.digest, out),
        dataset_name=dataset.name,
        best_epoch=result.best_epoch,
        epochs=result.epochs,
        valid=result.valid,
        seconds=max(result.seconds, time.perf_counter() - started),
        versions=lineage.versions(),
        created=lineage.now(),
    )
    with staged_folder(out) as staging:
        lineage.write(staging, manifest, recommender, result.history)
    recovery.path.unlink(missing_ok=True)
    return manifest


def resume_file(out: Path) -> Path:
    """Where a training that was interrupted leaves its state, beside the run folder it was to make."""
    return out.with_name(f".{out.name}.resume.safetensors")


def split_settings(first: type[First], second: type[Second], values: Mapping[str, Any]) -> tuple[First, Second]:
    """Sort one flat list of settings into two classes; a name that neither has is refused."""
    for name in values:
        if name not in first.model_fields and name not in second.model_fields:
            raise ConfigError(unknown_name("setting", name, [*first.model_fields, *second.model_fields]))
    return (
        first.of({name: value for name, value in values.items() if name in first.model_fields}),
        second.of({name: value for name, value in values.items() if name in second.model_fields}),
    )


@torch.no_grad()
def validation_score(model: Recommender, inputs: GraphInputs, dataset: Dataset) -> float:
    """Recall@20 on the validation pairs; chooses epochs, and nothing else is looked at."""
    vectors = model.vectors(inputs)
    cutoffs = (VALIDATION_CUTOFF,)
    report = evaluate_split(vectors.users, vectors.items, dataset, Split.VALID, cutoffs)
    return report.metrics[f"recall@{VALIDATION_CUTOFF}"]


def _can_validate(dataset: Dataset) -> bool:
    return bool(np.isin(dataset.interactions.part(Split.VALID).users, dataset.train.users).any())


def evaluate(run: Run | PathLike, split: str = "test") -> RankingReport:
    """Rank all items for every user and measure the lists on one split.

    Raises:
        ConfigError: for an unknown split.
    """
    names = {part.name.lower(): part for part in Split}
    if split not in names:
        raise ConfigError(unknown_name("split", split, list(names)))
    if names[split] is Split.TRAIN:
        raise ConfigError("training pairs are masked in every list; choose --split valid or --split test")
    opened = run if isinstance(run, Run) else load(run)
    vectors = vectors_of(opened.model, opened.dataset)
    return evaluate_split(vectors.users, vectors.items, opened.dataset, names[split])


def recommend(run: Run | PathLike, user: str, k: int = 10) -> list[dict[str, Any]]:
    """The k best items for a user, without what the user had in training: id, title where known, score."""
    opened = run if isinstance(run, Run) else load(run)
    data = opened.dataset
    row = data.users.rows([user])
    vectors = vectors_of(opened.model, data)
    items = top_k(vectors.users, vectors.items, data.train, row, k)[0]
    items = items[items >= 0]
    scores = score_pairs(vectors.users, vectors.items, row.repeat(len(items)), items).tolist()
    titles = (
        data.item_attributes["title"].gather(items) if "title" in data.item_attributes.columns else [None] * len(items)
    )
    names = data.items.names.gather(items)
    return [
        {"item": name, "title": title, "score": score} for name, title, score in zip(names, titles, scores, strict=True)
    ]


def scope(run: Run | PathLike, request: ForgetRequest) -> dict[str, Any]:
    """What an unlearning would take out, without doing it."""
    opened = run if isinstance(run, Run) else load(run)
    parts = partition(opened.dataset, retain(opened.dataset, request))
    unread = sorted(set(parts.lost_features) - set(opened.model.modalities()))
    return {
        "parent": str(opened.folder),
        "forgotten": parts.counts(),
        "share": len(parts.forgotten) / len(opened.dataset.train),
        "retained": {
            "users": len(parts.retained.users),
            "items": len(parts.retained.items),
            "interactions": len(parts.retained.train),
        },
        "warnings": [f"'{opened.manifest.model}' does not read the modality '{name}'" for name in unread],
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
    cls = method_class(method)
    config = cls.Config.of(settings or {}, f"method '{method}'")
    opened = run if isinstance(run, Run) else load(run)
    parts = partition(opened.dataset, retain(opened.dataset, request))
    if method == "retrain" and not _can_validate(parts.retained):
        raise ForgetError(f"the request leaves {_CANNOT_VALIDATE}; Gold needs some: forget fewer validation pairs")
    task = Task(
        opened.model,
        parts,
        opened.training,
        Seed(seed),
        lambda model, inputs: validation_score(model, inputs, parts.retained),
        report,
    )
    result = cls(config).run(task)
    identity = f"{opened.dataset.digest} {request.model_dump_json()}"
    manifest = Manifest(
        model=model_name(result.model),
        settings=result.model.settings.model_dump(mode="json"),
        training=opened.manifest.training,
        seed=seed,
        dataset=lineage.Reference(path=lineage.DATASET, digest=parts.retained.digest),
        dataset_name=parts.retained.name,
        parent=lineage.reference(opened.folder, lineage.weights_digest(opened.folder), out),
        method=method,
        method_settings=config.model_dump(mode="json"),
        request_digest=hashlib.sha256(identity.encode()).hexdigest(),
        requested=Requested.by(request, opened.manifest.requested),
        forgotten=parts.counts(),
        stop=result.stop,
        seconds=0.0,
        versions=lineage.versions(),
        created=lineage.now(),
    )
    with staged_folder(out) as staging:
        (staging / lineage.DATASET).mkdir()
        files.write_into(parts.retained, staging / lineage.DATASET)
        seconds = time.perf_counter() - started - result.setup_seconds
        manifest = manifest.model_copy(update={"seconds": seconds})
        lineage.write(staging, manifest, result.model, result.history)
    return manifest


def audit(run: PathLike, golds: Sequence[PathLike] = ()) -> AuditReport:
    """Audit an unlearned run, with Gold runs of the same request where there are any.

    Writes `audit.json` and `report.html` into the run folder.

    Raises:
        ArtifactError: when the run was not unlearned, or a Gold knows other data or came from another method.
    """
    opened = load(run)
    original = load(lineage.parent_folder(opened))
    references = [_gold(load(gold), opened, original) for gold in golds]
    parts = partition(original.dataset, opened.dataset)
    names = (opened.manifest.model, opened.manifest.method, opened.dataset.name)
    golds_given = [_subject("gold", gold) for gold in references]
    states = _subject("original", original), _subject("unlearned", opened), golds_given
    report = assess(names, parts, *states, opened.manifest.requested)
    page = render(report, _facts(opened, original), lineage.history(opened.folder))
    replace_file(opened.folder / "audit.json", (report.model_dump_json(indent=2) + "\n").encode())
    replace_file(opened.folder / "report.html", page.encode())
    return report


def _subject(name: str, run: Run) -> Subject:
    return Subject(name, run.folder, run.model, run.manifest.seed, run.manifest.seconds)


def _gold(gold: Run, run: Run, original: Run) -> Run:
    if gold.manifest.method != "retrain":
        raise ArtifactError(
            f"{gold.folder} is no Gold: it was made by '{gold.manifest.method or 'train'}', not by 'retrain'"
        )
    if gold.manifest.dataset.digest != run.manifest.dataset.digest:
        raise ArtifactError(
            f"{gold.folder} is Gold of another request: its retained data differ from those of {run.folder}"
        )
    if (gold.manifest.model, gold.manifest.settings) != (original.manifest.model, original.manifest.settings):
        raise ArtifactError(f"{gold.folder} is Gold of another model or other settings than {original.folder}")
    return gold


def _facts(run: Run, original: Run) -> dict[str, str]:
    manifest = run.manifest
    facts = {
        "model": manifest.model,
        "method": manifest.method,
        "stopped by": manifest.stop,
        "seed": str(manifest.seed),
        "dataset": f"{manifest.dataset_name} {manifest.dataset.digest[:16]}",
        "unlearned from": f"{original.folder.name} {manifest.parent.digest[:16] if manifest.parent else ''}",
        "request": manifest.request_digest[:16],
        "made": manifest.created,
    }
    facts |= {f"setting {name}": str(value) for name, value in (manifest.settings | manifest.method_settings).items()}
    return facts | {f"version of {name}": value for name, value in manifest.versions.items()}
