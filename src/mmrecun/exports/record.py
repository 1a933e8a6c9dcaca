"""The record in an export: the run it came from, the requests to that run, and the verdict."""

from pathlib import Path

from pydantic import ValidationError

from mmrecun import runs
from mmrecun.auditing.result import AuditReport
from mmrecun.errors import ArtifactError
from mmrecun.manifest import Manifest, now
from mmrecun.runs import Run
from mmrecun.settings import Settings, first_fault

RECORD = "export.json"
FORMAT = 1


class ForgottenRequest(Settings):
    """One request that was carried out.

    Attributes:
        method: name of the method.
        counts: numbers of removed users, items, interactions and modalities.
        request_digest: keyed digest of the request; empty without a key.
        made: UTC time of the run.
    """

    method: str
    counts: dict[str, int]
    request_digest: str = ""
    made: str = ""


class ExportRecord(Settings):
    """The origin of an export; it identifies no one.

    Attributes:
        format: version of this record.
        kind: format of the export, such as "vectors".
        run: digest of the run's weights.
        dataset: digest of the run's dataset.
        parent: digest of the weights of the run it was unlearned from; empty for a trained run.
        model, dataset_name: names of model and dataset.
        requests: what was forgotten, first to last, along the ancestors that still exist.
        complete: whether all ancestors could be read.
        verdict: headline of the last audit of exactly this run; "not audited" without one.
        users, items, dim: U, I and D.
        versions: versions of the packages that made the run.
        made: UTC time of the export.
    """

    format: int = FORMAT
    kind: str
    run: str
    dataset: str
    parent: str = ""
    model: str
    dataset_name: str
    requests: tuple[ForgottenRequest, ...] = ()
    complete: bool = True
    verdict: str = "not audited"
    users: int
    items: int
    dim: int
    versions: dict[str, str] = {}
    made: str = ""


def record_of(run: Run, kind: str, dim: int) -> ExportRecord:
    """Return the record of an export of `run` whose vectors have `dim` components."""
    manifest = run.manifest
    requests, complete = _requests(run.folder, manifest)
    return ExportRecord(
        kind=kind,
        run=run.weights,
        dataset=manifest.dataset.digest,
        parent=manifest.parent.digest if manifest.parent else "",
        model=manifest.model,
        dataset_name=manifest.dataset_name,
        requests=requests,
        complete=complete,
        verdict=verdict_in(run.folder, run.weights),
        users=len(run.dataset.users),
        items=len(run.dataset.items),
        dim=dim,
        versions=manifest.versions,
        made=now(),
    )


def write_record(record: ExportRecord, folder: Path) -> None:
    """Write `record` into an existing folder."""
    (folder / RECORD).write_text(record.json_text(), encoding="utf-8")


def read_record(folder: Path) -> ExportRecord:
    """Read the record of the export in `folder`.

    Raises:
        ArtifactError: when there is none, or it is damaged or of another version.
    """
    path = folder / RECORD
    try:
        return ExportRecord.model_validate_json(path.read_bytes())
    except OSError:
        raise ArtifactError(f"{folder} is not an export: it has no {RECORD}") from None
    except ValidationError as error:
        raise ArtifactError(f"{path}: damaged or from another version: {first_fault(error)}") from None


def _requests(folder: Path, manifest: Manifest) -> tuple[tuple[ForgottenRequest, ...], bool]:
    """Return the requests since the trained run, and whether the ancestors could be followed back to it."""
    line = [manifest, *(own for _, own in runs.ancestors(folder, manifest))]
    requests = [
        ForgottenRequest(method=own.method, counts=own.forgotten, request_digest=own.request_digest, made=own.created)
        for own in reversed(line)
        if own.parent is not None
    ]
    return tuple(requests), line[-1].parent is None


def verdict_in(folder: Path, digest: str) -> str:
    """Return the headline of `audit.json` in a run folder, where it is about the run with this digest."""
    try:
        report = AuditReport.model_validate_json((folder / "audit.json").read_bytes())
    except OSError:
        return "not audited"
    except ValidationError:
        return "not audited: audit.json cannot be read"
    return report.headline if report.digests.get("run") == digest else "not audited: audit.json is of another run"
