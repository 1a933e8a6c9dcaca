"""An exact faiss index over item vectors.

Only flat indexes are written: an entry removed from a graph index (HNSW) stays in its file.
"""

from pathlib import Path

from mmrecun.exports.contents import ExportContents, write_ids, write_vectors
from mmrecun.extras import library
from mmrecun.progress import Progress


def write_faiss(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `items.faiss` (IndexFlatIP, row = item row), ids in `items.parquet`, query vectors in `users.parquet`.

    Raises:
        ConfigError: when faiss is not installed.
    """
    faiss = library("faiss", "faiss", "an export to faiss")
    index = faiss.IndexFlatIP(contents.items.shape[1])
    index.add(contents.items.numpy())
    faiss.write_index(index, str(folder / "items.faiss"))
    progress(1, 2, "items indexed")
    write_ids(contents, folder, "items")
    write_vectors(contents.run.dataset.users.names, contents.users, folder / "users.parquet")
    progress(2, 2, "users written")
