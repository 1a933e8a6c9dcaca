"""Folders in a store that every machine reaches: one object each, whole or absent."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.extras import library
from mmrecun.scale.parcel import pack_into, unpack_from
from mmrecun.text import reason_of

SUFFIX = ".tar"


class Depot:
    """Folders by name; a name holds a digest, so whoever comes second to a name has nothing to add.

    Args:
        url: "file:///shared/depot", "s3://bucket/folder" or "gs://bucket/folder"; credentials come from the
            environment, as their vendors say.

    Raises:
        ConfigError: for a URL that no file system knows.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs = library("pyarrow.fs", "parquet", "--store")
        with self._in_one_line("reached"):
            try:
                self._files, self._base = self._fs.FileSystem.from_uri(self.url)
            except (ValueError, TypeError) as error:
                raise ConfigError(f"--store {url}: no such kind of store: {reason_of(error)}") from None

    def has(self, name: str) -> bool:
        """Say whether the folder is there."""
        with self._in_one_line("read"):
            found: bool = self._files.get_file_info(self._path(name)).type == self._fs.FileType.File
        return found

    def put(self, folder: Path, name: str) -> None:
        """Store `folder` under `name`, unless it is there; it appears whole or not at all.

        An object store shows what was written when it is closed. A file system shows it at once, so there it is written
        under another name and renamed.
        """
        if self.has(name):
            return
        final = self._path(name)
        staging = final if self._shows_whole() else f"{final}.{secrets.token_hex(8)}.partial"
        with self._in_one_line("written"):
            if not self._shows_whole():
                self._files.create_dir(final.rpartition("/")[0], recursive=True)
            try:
                with self._files.open_output_stream(staging) as stream:
                    pack_into(folder, stream)
                if staging != final:
                    self._files.move(staging, final)
            except BaseException:  # an interruption too: half an object would be refused by its readers, but stay
                self._remove(staging)
                raise

    def get(self, name: str, place: Path) -> None:
        """Make the folder `place` of what is stored under `name`.

        Raises:
            ArtifactError: when it is not there, or damaged.
        """
        if place.is_dir():
            return
        with self._in_one_line("read"):
            try:
                stream = self._files.open_input_stream(self._path(name))
            except FileNotFoundError:
                raise ArtifactError(f"{self.url} has no '{name}'") from None
            with stream:
                unpack_from(stream, place, f"{self.url}/{name}{SUFFIX}")

    def names(self) -> list[str]:
        """Return the names of all folders, sorted."""
        selector = self._fs.FileSelector(self._base, allow_not_found=True, recursive=True)
        with self._in_one_line("listed"):
            paths = [info.path for info in self._files.get_file_info(selector) if info.type == self._fs.FileType.File]
        start = len(self._base.rstrip("/")) + 1
        return sorted(path[start:].removesuffix(SUFFIX) for path in paths if path.endswith(SUFFIX))

    def size(self, name: str) -> int:
        """Return how many bytes are stored under `name`; 0 where it is not there."""
        with self._in_one_line("read"):
            return int(self._files.get_file_info(self._path(name)).size or 0)

    def remove(self, name: str) -> None:
        """Remove what is stored under `name`, if it is there."""
        with self._in_one_line("cleared"):
            self._remove(self._path(name))

    def _remove(self, path: str) -> None:
        if self._files.get_file_info(path).type == self._fs.FileType.File:
            self._files.delete_file(path)

    def _path(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}{SUFFIX}"

    def _shows_whole(self) -> bool:
        return self._files.type_name in ("s3", "gcs", "abfs")

    @contextmanager
    def _in_one_line(self, done: str) -> Iterator[None]:
        """Turn what a store says into one line."""
        try:
            yield
        except OSError as error:
            raise ConfigError(f"--store {self.url}: cannot be {done}: {error.strerror or reason_of(error)}") from None


def opened(url: str | None) -> Depot | None:
    """Return the depot at `url`, or None for None."""
    return Depot(url) if url else None


def check(depot: Depot, scratch: Path) -> None:
    """Write a small folder into a depot, read it back and remove it.

    Raises:
        MMRecUnError: when any of that fails.
    """
    name, sent, back = f"check-{secrets.token_hex(8)}", scratch / "sent", scratch / "back"
    sent.mkdir(parents=True)
    (sent / "word").write_text(name, encoding="utf-8")
    depot.put(sent, name)
    try:
        depot.get(name, back)
    finally:
        depot.remove(name)
    if (back / "word").read_text(encoding="utf-8") != name:
        raise ArtifactError(f"{depot.url} gave back something else than was put there")
