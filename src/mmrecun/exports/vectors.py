"""Vectors of users and items with their ids: as Parquet, as npy, as safetensors."""

from pathlib import Path

from safetensors.torch import save_file

from mmrecun.atomic import usual_permissions
from mmrecun.data.npy import write_npy
from mmrecun.exports.contents import ExportContents, write_ids, write_vectors
from mmrecun.progress import Progress


def write_as_parquet(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `users.parquet` and `items.parquet`, each with `id` and `vector`."""
    data = contents.run.dataset
    write_vectors(data.users.names, contents.users, folder / "users.parquet")
    progress(1, 2, "users written")
    write_vectors(data.items.names, contents.items, folder / "items.parquet")
    progress(2, 2, "items written")


def write_as_npy(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `users.npy` and `items.npy`, float32 [U, D] and [I, D], with ids in row order in `users.parquet` ..."""
    for done, (kind, vectors) in enumerate((("users", contents.users), ("items", contents.items)), start=1):
        write_npy(folder / f"{kind}.npy", vectors.numpy())
        progress(done, 2, f"{kind} written")
    write_ids(contents, folder, "users", "items")


def write_as_safetensors(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `vectors.safetensors` with `users` and `items`, and ids in row order in `users.parquet` and so on."""
    origin = {"run": contents.record.run, "dataset": contents.record.dataset}
    path = folder / "vectors.safetensors"
    with usual_permissions(path):
        save_file({"users": contents.users, "items": contents.items}, path, metadata=origin)
    write_ids(contents, folder, "users", "items")
    progress(1, 1, "vectors written")
