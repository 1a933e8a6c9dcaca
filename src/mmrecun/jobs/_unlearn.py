"""Forget from a run, or report what would be forgotten."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from mmrecun import runs
from mmrecun.arrays import Bools
from mmrecun.atomic import as_path, refuse_existing, refuse_within, staged_folder
from mmrecun.auditing.residue_files import named_after
from mmrecun.claims import claimed
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.lookalikes import DIFFERENCES
from mmrecun.data.references import Mention, retained_mentions
from mmrecun.device import prepared
from mmrecun.errors import ForgetError
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord, hashes_lost
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import keyed, read_key
from mmrecun.jobs import _foreign
from mmrecun.jobs._absent import explain
from mmrecun.jobs._foreign import ForeignRun, opened
from mmrecun.jobs._trained_as import modalities_read, trained_as, what_was_trained
from mmrecun.manifest import Manifest, Reference, reference, stamped
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.runs import PathLike, Run
from mmrecun.text import counted, preview
from mmrecun.training.loop import refuse_not_finite
from mmrecun.training.validation import CANNOT_VALIDATE, can_validate
from mmrecun.unlearning.base import Task, Unlearner
from mmrecun.unlearning.registry import method_class

Request = ForgetRequest | Mapping[str, Any]


@prepared()
def scope(
    run: Run | PathLike,
    request: Request,
    key: bytes | None = None,
    method: str = "mmrecun",
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Report what an unlearning would remove, without doing it; arguments and errors are those of `unlearn`."""
    asked, request, key = opened(run), ForgetRequest.coerce(request), read_key(key)
    partition = partition_of(asked, request, key)
    if isinstance(asked, ForeignRun):
        asked.foreign.unlearner(partition, _own_method(method), settings or {})
    else:
        _unlearner(method, settings or {}, partition, asked)
    mentions = retained_mentions(partition.removed_ids, partition.user_rows, partition.item_rows)
    return {
        "parent": str(asked.folder),
        "forgotten": partition.counts(),
        "share": len(partition.forgotten) / len(asked.dataset.train),
        "retained": {
            "users": len(partition.retained.users),
            "items": len(partition.retained.items),
            "interactions": len(partition.retained.train),
            "held_out": len(partition.retained.interactions) - len(partition.retained.train),
        },
        "references": _references(mentions),
        "warnings": _warnings(asked, request, partition, mentions, key),
    }


@prepared()
def warnings(run: Run | PathLike, request: Request, key: bytes | None = None, out: PathLike | None = None) -> list[str]:
    """Return warnings about a request whose new run will be `out`.

    They concern modalities that the model does not read or that a named item does not have, ids that occur within other
    text, folders that are called like a forgotten id, and hashes of earlier requests that the new run cannot keep,
    since `key`, by default that of MMRECUN_KEY, did not make them.
    """
    asked, request, key = opened(run), ForgetRequest.coerce(request), read_key(key)
    partition = partition_of(asked, request, key)
    mentions = retained_mentions(partition.removed_ids, partition.user_rows, partition.item_rows)
    folders = [asked.folder] if out is None else [asked.folder, as_path(out, "out")]
    return [*_warnings(asked, request, partition, mentions, key), *_folders_named_after(folders, partition)]


@prepared()
def unlearn(
    run: Run | PathLike,
    request: Request,
    out: PathLike,
    method: str = "mmrecun",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    key: bytes | None = None,
) -> Manifest:
    """Forget what `request` names, and write the new run with its retained dataset to `out`.

    The run given is never changed. Returns the new manifest. Under a `key`, by default that of MMRECUN_KEY, the new run
    also keeps hashes of what was asked for; without one it keeps counts alone.

    Raises:
        ForgetError: when the method cannot forget the request, or an id is unknown.
        DivergedError: when a value of the new model is not finite.
    """
    started = time.perf_counter()
    out, request, key = as_path(out, "out"), ForgetRequest.coerce(request), read_key(key)
    refuse_existing(out)
    parent = opened(run)
    if isinstance(parent, Run):
        refuse_within(parent.folder, out)
    with claimed(out):
        asked = _Unlearning(request, out, method, settings or {}, seed, progress, key)
        if isinstance(parent, ForeignRun):
            return _unlearn_foreign(parent, asked)
        return _unlearn_ours(parent, asked, started)


class _Unlearning(NamedTuple):
    """Arguments of `unlearn`."""

    request: ForgetRequest
    out: Path
    method: str
    settings: Mapping[str, Any]
    seed: int
    progress: Progress
    key: bytes | None


def _unlearn_ours(parent: Run, asked: _Unlearning, started: float) -> Manifest:
    """Do as `unlearn` for a model of this package; `started` counts the seconds."""
    request, out, method, settings, seed, progress, key = asked
    method_class(method).Config.of(settings, f"method '{method}'")  # before the request, which costs more to read
    partition = partition_of(parent, request, key)
    unlearner = _unlearner(method, settings, partition, parent)
    carried = parent.manifest.carried if parent.manifest.method == method else {}
    epochs, kind = parent.manifest.epochs, trained_as(parent)
    task = Task.of(parent.model, partition, parent.training, Seed(seed), progress, carried, epochs, kind)
    result = unlearner.run(task)
    refuse_not_finite(result.model, f"'{method}' made a model with values that are not finite; nothing was written")
    facts = {
        "seed": seed,
        "parent": reference(parent.folder, parent.weights, out),
        "method": method,
        "method_settings": unlearner.config.model_dump(mode="json"),
        "stop": result.stop_reason,
        "setup_seconds": result.setup_seconds,
        "best_epoch": result.best_epoch,
        "epochs": len(result.history),
        "valid": result.valid,
        "carried": dict(result.carried),
        "trained_as": what_was_trained(parent, result.model),
        **facts_of_request(parent, request, partition, key),
    }
    with staged_folder(out) as staging:
        (staging / runs.DATASET).mkdir()
        files.write_into(partition.retained, staging / runs.DATASET)
        seconds = time.perf_counter() - started - result.setup_seconds
        manifest = stamped(result.model, seconds=seconds, **facts)
        runs.write(staging, manifest, result.model, result.history)
    return manifest


def _unlearner(method: str, settings: Mapping[str, Any], partition: Partition, parent: Run) -> Unlearner:
    """Return the method, if it can forget what the partition removes.

    Raises:
        ConfigError: for an unknown method or setting.
        ForgetError: when it cannot.
    """
    unlearner = method_class(method)(method_class(method).Config.of(settings, f"method '{method}'"))
    unlearner.check(partition)
    lost = sorted(set(partition.removed_features) & set(modalities_read(parent)))
    if lost and parent.manifest.trained_as is not None and not unlearner.validates:
        raise ForgetError(
            f"the run holds plain vectors of a '{parent.manifest.trained_as.model}', which has read '{lost[0]}', and "
            f"no branch for '{method}' to take it out of; choose --method retrain, or unlearn an earlier run"
        )
    if unlearner.validates and not can_validate(partition.retained):
        raise ForgetError(f"the request leaves {CANNOT_VALIDATE}; '{method}' needs some: forget fewer validation pairs")
    return unlearner


def _unlearn_foreign(parent: ForeignRun, asked: _Unlearning) -> Manifest:
    """Do as `unlearn` for a model of another library; `mmrecun` stands for its exact method where it has one."""
    request, out, method, settings, seed, progress, key = asked
    partition = partition_of(parent, request, key)
    less = parent.foreign.unlearn(request, _own_method(method), settings, seed, progress=progress)
    facts = {
        "seed": seed,
        "method": less.method,
        "method_settings": dict(less.settings),
        "stop": less.stop,
        "seconds": less.seconds,
        "carried": dict(less.carried),
        **_foreign.described(parent, out),
        **facts_of_request(parent, request, partition, key),
    }
    with staged_folder(out) as staging:
        return _foreign.write(staging, parent, less, Manifest(**facts))


def _own_method(method: str) -> str | None:
    return None if method == "mmrecun" else method


def partition_of(run: Run, request: ForgetRequest, key: bytes | None = None) -> Partition:
    """Divide the data of `run` by `request`; an error says of what is not there whether it was forgotten before."""
    try:
        partition = Partition.from_request(run.dataset, request)
    except ForgetError as error:
        raise explain(run, request, error, key) from None
    if len(partition.item_rows) == 1:
        raise ForgetError("the request leaves one item; nothing could be ranked any more")
    return partition


def facts_of_request(parent: Run, request: ForgetRequest, partition: Partition, key: bytes | None) -> dict[str, Any]:
    """Return the fields of a manifest about the request and the retained data.

    Without the key nothing in them identifies anybody.

    The digest of a request for one user could be found by trying all users, so it is keyed as well.
    """
    counts = partition.counts()
    asked = {"users": counts["users"], "items": counts["items"], "pairs": len(partition.single_pairs)}
    kept = ForgetRecord.for_manifest(
        request, asked | {"features": counts["modalities"]}, parent.manifest.requested, key
    )
    return {
        "training": parent.manifest.training,
        "dataset": Reference(path=runs.DATASET, digest=partition.retained.digest),
        "dataset_name": partition.retained.name,
        "request_digest": keyed(key, parent.dataset.digest, request.model_dump_json()).hex() if key else "",
        "requested": kept,
        "forgotten": counts,
        "references": _references(retained_mentions(partition.removed_ids, partition.user_rows, partition.item_rows)),
    }


def _references(mentions: list[Mention]) -> dict[str, int]:
    return {f"{mention.table}.{mention.column}": mention.rows for mention in mentions if mention.refers}


def _warnings(
    run: Run, request: ForgetRequest, partition: Partition, mentions: list[Mention], key: bytes | None
) -> list[str]:
    unread = sorted(set(partition.removed_features) - set(modalities_read(run)))
    return [
        *hashes_lost(run.folder, run.manifest.requested, key),
        *(f"'{run.manifest.model}' does not read the modality '{name}'" for name in unread),
        *_without_features(partition.original, request),
        *(
            f"forgotten ids stand in '{mention.column}' of {counted(mention.rows, mention.table.removesuffix('s'))}, "
            "a column of other values; "
            + (
                "they may not be meant as ids, and were left"
                if mention.plain
                else "they were left: correct that column"
            )
            for mention in mentions
            if not mention.refers
        ),
        *_lookalikes_that_stay("users", partition.original.users, partition.removed_users),
        *_lookalikes_that_stay("items", partition.original.items, partition.removed_items),
    ]


def _folders_named_after(folders: list[Path], partition: Partition) -> list[str]:
    """Return a warning if paths that manifests and reports will hold have a forgotten id in them."""
    names = partition.removed_ids.all().to_list()
    parts = dict.fromkeys(part for folder in folders for part in named_after(folder, names))
    quoted = preview(f"'{part}'" for part in parts)
    line = f"manifests and reports say where runs lie, and a forgotten id stands in {quoted}: give folders other names"
    return [line] if parts else []


def _without_features(dataset: Dataset, request: ForgetRequest) -> list[str]:
    """Return a warning for each modality that is to be taken out of named items, and that some of them do not have."""
    found = []
    for modality, names in request.modalities.items():
        present = dataset.modalities[modality].present
        without = [
            name for name, has in zip(names or (), present[dataset.items.rows(names or ())], strict=True) if not has
        ]
        if without:
            who = counted(len(without), "named item", "has", "have")
            found.append(f"{who} no '{modality}' to take out: {preview(without)}")
    return found


def _lookalikes_that_stay(kind: str, ids: IdMap, lost: Bools) -> list[str]:
    """Return a warning if a retained id looks like a removed one, such as `U3` and `u3`."""
    if not lost.any():
        return []
    gone = pl.Series(lost)
    left = ids.names.filter(~gone & ids.folded.is_in(ids.folded.filter(gone).unique().implode()))
    quoted = preview(f"'{name}'" for name in left)
    who = counted(len(left), kind.removesuffix("s"), "that stays differs", "that stay differ")
    line = f"{who} from a forgotten one in {DIFFERENCES} alone: {quoted}"
    return [line] if len(left) else []
