"""A Hugging Face repository with item vectors and a card. It is meant to be shared, so it holds no users."""

import json
from pathlib import Path

from safetensors.torch import save_file

from mmrecun.atomic import usual_permissions
from mmrecun.exports.contents import ExportContents, write_ids
from mmrecun.exports.record import ExportRecord
from mmrecun.progress import Progress
from mmrecun.text import counted, taken_out


def write_huggingface(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `README.md` (the card), `config.json`, `model.safetensors` (`items`, float32 [I, D]), `items.parquet`."""
    record = contents.record
    path = folder / "model.safetensors"
    with usual_permissions(path):
        save_file({"items": contents.items}, path, metadata={"format": "pt", "run": record.run})
    write_ids(contents, folder, "items")
    config = {
        "model_type": "mmrecun",
        "recommender": record.model,
        "settings": contents.run.manifest.settings,
        "items": record.items,
        "dim": record.dim,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(record), encoding="utf-8")
    progress(1, 1, "repository written")


def card(record: ExportRecord) -> str:
    """Return the model card in Markdown: what this is, what was forgotten, the verdict.

    It contains no ids.
    """
    front = ["---", "library_name: mmrecun", "tags:", "- recommender-system", "- multi-modal"]
    front += ["- machine-unlearning"] if record.requests else []
    facts = {
        "Recommender": record.model,
        "Items": f"{counted(record.items, 'vector')} of {counted(record.dim, 'number')}",
        "Trained for": f"{counted(record.users, 'user')}, none of whom is in this repository",
        "Run": f"`{record.run}`",
        "Parent run": f"`{record.parent}`" if record.parent else "none: this run was trained, not unlearned",
        "Dataset": f"`{record.dataset}`",
        "Verdict": record.verdict,
        "Made": f"{record.made}, mmrecun {record.versions.get('mmrecun', '')}",
    }
    return "\n".join(
        [
            *front,
            "---",
            "",
            f"# Item vectors of a {record.model} recommender",
            "",
            "The score of a user and an item is the dot product of their vectors. This repository holds the item side:",
            "`model.safetensors` has `items`, one row for each id of `items.parquet`, in the same order.",
            "",
            "| | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in facts.items()),
            "",
            "## What was forgotten",
            "",
            *_requests(record),
            "",
            "A later request makes these files stale. `export.json` holds the same facts for programs; the digests are",
            "SHA-256 of the run's weights and of the dataset's content.",
            "",
        ]
    )


def _requests(record: ExportRecord) -> list[str]:
    if not record.requests:
        return ["Nothing: no request was carried out before this export."]
    lines = ["| request | made | method | what left | digest of the request |", "| --- | --- | --- | --- | --- |"]
    for number, request in enumerate(record.requests, start=1):
        counts = taken_out(request.counts)
        digest = f"`{request.request_digest}`" if request.request_digest else "kept under no key"
        lines.append(f"| {number} | {request.made} | {request.method} | {counts or 'nothing'} | {digest} |")
    return (
        lines if record.complete else [*lines, "", "Earlier requests may be missing: an ancestor of this run is gone."]
    )
