"""How the folder of a run in chunks is recognised; it loads nothing, so that commands can ask before they load more."""

from pathlib import Path

MANIFEST, CHUNKS = "mapped.json", "chunks"


def is_mapped(folder: Path) -> bool:
    """Say whether a folder holds a run in chunks, or a part of one."""
    return (folder / MANIFEST).is_file()
