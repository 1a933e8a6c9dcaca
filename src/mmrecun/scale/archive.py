"""A folder as one stream of bytes, to be sent to another machine, where a stream that was cut short is refused."""

import io
import tarfile
from pathlib import Path
from typing import IO

from mmrecun.atomic import staged_folder
from mmrecun.errors import ArtifactError

_LAST = ".complete"  # the last entry of every archive, by which one that was cut short is recognised


def pack_into(folder: Path, stream: IO[bytes]) -> None:
    """Write the files below `folder` to `stream` as a tar archive, without owners, times or modes."""
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_bare)
        archive.addfile(tarfile.TarInfo(_LAST), io.BytesIO())


def pack(folder: Path) -> bytes:
    """Return the archive of the files below `folder` as bytes."""
    stream = io.BytesIO()
    pack_into(folder, stream)
    return stream.getvalue()


def unpack_from(stream: IO[bytes], place: Path, source: str) -> None:
    """Make the folder `place` from an archive that `pack_into` wrote; an existing folder is left unchanged.

    Args:
        stream: the archive, read from the current position.
        place: the folder; it appears whole or not at all.
        source: where the stream comes from, for the error message.

    Raises:
        ArtifactError: when the stream is damaged or ends too soon.
    """
    if place.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with staged_folder(place) as staging:
            _extract(stream, staging, source)
    except ArtifactError:
        if not place.is_dir():  # else another process made it first, with the same content
            raise


def _extract(stream: IO[bytes], staging: Path, source: str) -> None:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            archive.extractall(staging, filter="data")  # nothing outside of `staging`, no device, no owner
    except (tarfile.TarError, EOFError) as error:
        raise ArtifactError(f"{source}: damaged; remove it, and it is made again: {error}") from None
    last = staging / _LAST
    if not last.is_file():
        raise ArtifactError(f"{source}: cut short; remove it, and it is made again")
    last.unlink()


def unpack(content: bytes, place: Path, source: str) -> None:
    """Make the folder `place` from the bytes that `pack` returned."""
    unpack_from(io.BytesIO(content), place, source)


def _bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member
