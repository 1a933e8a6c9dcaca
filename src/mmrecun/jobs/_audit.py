"""Audit a run and write its report."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrecun import runs
from mmrecun.atomic import as_path, link_or_copy, refuse_unwritable, replacing, staged_folder
from mmrecun.auditing.assess import AuditedRun, AuditSubject, assess
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.likelihood_ratio import check_number
from mmrecun.auditing.result import AuditReport, AuditScope
from mmrecun.claims import claimed
from mmrecun.device import prepared
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.forget.partition import Partition
from mmrecun.forget.secret import read_key
from mmrecun.jobs._foreign import ForeignRun, files_before, gold_of, opened, parent_of
from mmrecun.jobs._shadows import attack_on
from mmrecun.manifest import now
from mmrecun.progress import Progress, no_progress
from mmrecun.report.page import render
from mmrecun.runs import PathLike, Run, load
from mmrecun.scale.executor import Executor
from mmrecun.scale.local_executor import LocalExecutor
from mmrecun.text import duration

AUDITS = "audits"


@prepared()
def audit(
    run: PathLike,
    golds: PathLike | Sequence[PathLike] = (),
    relearn: bool = False,
    shadows: int = 0,
    progress: Progress = no_progress,
    key: bytes | None = None,
    reading: Mapping[str, Any] | None = None,
    sample: int | None = None,
    executor: Executor | None = None,
    original: PathLike | None = None,
) -> AuditReport:
    """Audit an unlearned run, against Gold runs of the same request if there are any.

    Writes `audit.json` and `report.html` into a folder of their own below `audits`, named by date and by what was
    compared. They are copied into the run folder, unless an earlier audit there assessed more.

    Args:
        run: a run folder.
        golds: run folders, or one; for a model of another library, files of models that it retrained on the retained
            data.
        relearn: whether to count the training steps that bring the forgotten pairs back; at most 200 for every run.
        shadows: number of models of the likelihood-ratio attack, each trained and unlearned (see `shadow_seconds`); an
            even number of 4 or more, or 0 for no attack.
        progress: called with the number of ranked users and with the state of the two slow probes.
        key: key of the hashes of the run's request; that of MMRECUN_KEY by default.
        reading: settings by which the Golds' files are read, where they differ from the run's.
        sample: number of users in the retained figures, beside all affected users; 0 for all. By default all, unless
            users times items are more than two thousand million.
        executor: where to make the shadow models; this process by default.
        original: folder of the run that it was unlearned from, if that was moved.

    Raises:
        ArtifactError: when the run was not unlearned, a Gold has other data or another method, or a Gold is given
            twice.
        ConfigError: for an invalid number of shadows, or a `key` that is not that of the run.
    """
    after = _to_audit(run, key, relearn, shadows)
    before, golds_read = _runs_compared_with(after, golds, reading or {}, original)
    attack = attack_on(executor or LocalExecutor(), before, after, shadows) if shadows else None
    begun, training = now(), before.training if relearn else None
    made = assess(_subject(before, after, golds_read, key), training, attack, sample, progress)
    facts = {
        "made": begun,
        "digests": {"run": after.weights, "original": before.weights, "dataset": after.manifest.dataset.digest},
        "compared": _scope(made, golds_read, relearn, shadows),
        "notes": (*made.notes, _still_held(before), *_short_trainings(golds_read)),
    }
    history = [] if isinstance(after, ForeignRun) else runs.history(after.folder)
    return write_report(made.model_copy(update=facts), after.folder, _facts(after, before), history)


def is_other_key(run: PathLike, key: bytes) -> bool:
    """Say whether a run keeps hashes of its request, and `key` did not make them."""
    record = runs.read_manifest(Path(run)).requested
    return record is not None and record.with_key(read_key(key)).locked


def _to_audit(run: PathLike, key: bytes | None, relearn: bool, shadows: int) -> Run:
    """Open a run to be audited; refuse one that cannot be audited in this way."""
    after = opened(run)
    refuse_unwritable(after.folder)
    _refuse_other_key(after.folder, key)
    _refuse_training(after, relearn, shadows)
    return after


def _refuse_other_key(run: Path, key: bytes | None) -> None:
    if key is not None and is_other_key(run, key):
        raise ConfigError(f"key: not the one under which {run} keeps what was asked for; give that one, or none")


def _scope(made: AuditReport, golds: Sequence[Run], relearn: bool, shadows: int) -> AuditScope:
    """Return what was assessed; its sample is 0 where the retained figures are of all users."""
    drawn = made.users["drawn"] if made.users["drawn"] < made.users["all"] else 0
    weights = tuple(gold.weights for gold in golds)
    return AuditScope(golds=weights, relearn=relearn, shadows=shadows, sample=drawn)


def _runs_compared_with(
    after: Run, golds: PathLike | Sequence[PathLike], reading: Mapping[str, Any], moved: PathLike | None
) -> tuple[Run, list[Run]]:
    """Read the run that `after` was unlearned from, at `moved` if that is given, and its Golds."""
    place = None if moved is None else as_path(moved, "original")
    golds = [golds] if isinstance(golds, str | Path | Run) else golds
    if isinstance(after, ForeignRun):
        if place:
            raise ConfigError(
                f"{after.folder}: --original is for models of this package; put the model back in its place"
            )
        return parent_of(after), _refuse_repeated([gold_of(Path(gold), after, reading) for gold in golds])
    if reading:
        raise ConfigError(f"{after.folder}: Golds of this run are run folders, which take no settings of reading")
    original = load(runs.parent_folder(after.folder, after.manifest, place))
    return original, _refuse_repeated([_gold(load(gold), after, original) for gold in golds])


def _refuse_training(run: Run, relearn: bool, shadows: int) -> None:
    """Refuse the slow probes of a model of another library; each of them trains models."""
    if isinstance(run, ForeignRun) and (relearn or shadows):
        name = "--relearn" if relearn else "--shadows"
        raise ConfigError(f"{run.folder}: {name} trains models, and those of other libraries are not trained here")


def write_report(
    report: AuditReport,
    folder: Path,
    facts: Mapping[str, str],
    history: Sequence[Mapping[str, float]] = (),
    shared: bool = False,
) -> AuditReport:
    """Write a report beside earlier ones in the run folder `folder`, and into it unless one there assessed more.

    Args:
        report: the report.
        folder: the run folder.
        facts, history: as for `report.page.render`.
        shared: whether other commands make something in the folder, too, such as a part of a run.
    """
    own = [folder / AUDITS] if shared else [folder, folder / AUDITS]
    with claimed(folder / AUDITS, wait=True, within=own):
        return _written(report, folder, facts, history)


def _written(
    report: AuditReport, folder: Path, facts: Mapping[str, str], history: Sequence[Mapping[str, float]]
) -> AuditReport:
    """Do so, while no other audit of the run writes."""
    name = f"{report.made.replace(':', '').replace('+0000', 'Z')}-{report.compared.name()}"
    place, number = folder / AUDITS / name, 1
    while place.exists():
        number += 1
        place = folder / AUDITS / f"{name}-{number}"
    before = _scope_of_report(folder / "audit.json")
    first = before is None or report.compared.at_least(before)
    report = report.model_copy(update={"folder": "" if first else f"{AUDITS}/{place.name}"})
    text = report.json_text().encode()
    checksum = {"SHA-256 of audit.json": hashlib.sha256(text).hexdigest()}
    page = render(report, dict(facts) | checksum, history).encode()
    with staged_folder(place) as staging:
        (staging / "audit.json").write_bytes(text)
        (staging / "report.html").write_bytes(page)
        if first:  # both are written before either is replaced, so that they fit if the disk is full
            with replacing(folder / "audit.json") as values, replacing(folder / "report.html") as shown:
                link_or_copy(staging / "audit.json", values)
                link_or_copy(staging / "report.html", shown)
    return report


def _scope_of_report(path: Path) -> AuditScope | None:
    """Return what the report at `path` assessed, or None if there is no readable one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        golds = [state["run"] for state in values["states"] if state["name"] == RunKind.GOLD]
        return AuditScope.model_validate(values.get("compared", {"golds": golds}))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _still_held(original: Run) -> str:
    """Say where what was forgotten lies still: in the models before the request, and their datasets."""
    folder, manifest = original.folder.resolve(), original.manifest
    line = [(folder, manifest), *runs.ancestors(folder, manifest)]
    places = [place for where, own in line for place in (where, (where / own.dataset.path).resolve())]
    if (first := files_before(*line[-1])) is not None:
        places += [place for place in (first.model, first.data) if place.exists()]
    return f"What was forgotten is still in {', '.join(dict.fromkeys(map(str, places)))}, from before the request."


def _short_trainings(golds: Sequence[Run]) -> list[str]:
    """Return a warning about Golds that validated best in their last epoch."""
    names = [
        gold.folder.name for gold in golds if gold.manifest.epochs and gold.manifest.best_epoch == gold.manifest.epochs
    ]
    return [f"{name} validated best in its last epoch; trained longer it may be a better target." for name in names]


def _refuse_repeated(golds: list[Run]) -> list[Run]:
    """Return the Golds; refuse two that are the same model."""
    seen: dict[str, Path] = {}
    for gold in golds:
        if gold.weights in seen:
            raise ArtifactError(f"{gold.folder} is the same model as {seen[gold.weights]}; give each Gold once")
        seen[gold.weights] = gold.folder
    return golds


def _subject(original: Run, run: Run, golds: Sequence[Run], key: bytes | None) -> AuditSubject:
    return AuditSubject(
        (run.manifest.model, run.manifest.method, run.dataset.name),
        Partition.between(original.dataset, run.dataset),
        AuditedRun.of(RunKind.ORIGINAL, original),
        AuditedRun.of(RunKind.UNLEARNED, run),
        [AuditedRun.of(RunKind.GOLD, gold) for gold in golds],
        run.manifest.requested,
        key,
    )


def _gold(gold: Run, run: Run, original: Run) -> Run:
    if gold.manifest.method != "retrain":
        raise ArtifactError(
            f"{gold.folder} is not a Gold: it was made by '{gold.manifest.method or 'train'}', not by 'retrain'"
        )
    if gold.manifest.dataset.digest != run.manifest.dataset.digest:
        raise ArtifactError(
            f"{gold.folder} is Gold of another request: its retained data differ from those of {run.folder}"
        )
    # parsed first: manifests of earlier versions may use another name for a setting, or lack it
    if type(gold.model) is not type(original.model) or gold.model.config != original.model.config:
        raise ArtifactError(f"{gold.folder} is Gold of another model or other settings than {original.folder}")
    return gold


def _facts(run: Run, original: Run) -> dict[str, str]:
    manifest = run.manifest
    facts = {
        "model": manifest.model,
        "method": manifest.method,
        "the method's own stopping rule": manifest.stop,
        "seed": str(manifest.seed),
        "dataset": f"{manifest.dataset_name} {manifest.dataset.digest[:16]}",
        "unlearned from": f"{original.folder.name} {manifest.parent.digest[:16] if manifest.parent else ''}",
        "made": manifest.created,
    }
    if manifest.request_digest:
        facts["request"] = manifest.request_digest[:16]
    if manifest.references:
        facts["references taken out"] = ", ".join(
            f"{count:,} of '{name}'" for name, count in manifest.references.items()
        )
    if manifest.setup_seconds:
        facts["set-up"] = f"{duration(manifest.setup_seconds)} more, on what would be there before any request"
    facts |= {f"setting {name}": str(value) for name, value in (manifest.settings | manifest.method_settings).items()}
    return facts | {f"version of {name}": value for name, value in manifest.versions.items()}


def shadow_seconds(run: PathLike, shadows: int, original: PathLike | None = None) -> float:
    """Estimate how long the shadow models take, each as long as the original's training and the unlearning.

    Args:
        run: an unlearned run.
        shadows: their number.
        original: folder of the run that it was unlearned from, if that was moved.

    Raises:
        ArtifactError: when `run` is not a run, was trained, or its parent is gone.
        ConfigError: for a number of shadows that cannot be shared out.
    """
    check_number(shadows)
    folder = Path(run)
    manifest = runs.read_manifest(folder)
    unlearning = manifest.seconds + manifest.setup_seconds
    folder = runs.parent_folder(folder, manifest, Path(original) if original else None)
    manifest = runs.read_manifest(folder)
    training = max(own.seconds for own in (manifest, *(own for _, own in runs.ancestors(folder, manifest))))
    return shadows * (training + unlearning)
