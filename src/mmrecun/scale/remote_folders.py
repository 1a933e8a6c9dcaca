"""Folders in a store that every host reaches, such as an object store: one object for each folder."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.extras import library
from mmrecun.scale.archive import pack_into, unpack_from
from mmrecun.text import reason_of

SUFFIX = ".tar"


class RemoteFolders:
    """Folders by name. A name contains a digest of the content, so a folder that exists is never written again.

    Args:
        url: "file:///shared/folder", "s3://bucket/folder" or "gs://bucket/folder"; credentials are read from the
            environment variables that each vendor documents.

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
        """Say whether the folder exists."""
        with self._in_one_line("read"):
            found: bool = self._files.get_file_info(self._path(name)).type == self._fs.FileType.File
        return found

    def put(self, folder: Path, name: str) -> None:
        """Store `folder` under `name`, unless that exists; it appears whole or not at all.

        An object store shows an object when it is closed. A file system shows a file at once, so there it is written
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
            except BaseException:  # also when interrupted: readers refuse half an object, but it would remain
                self._remove(staging)
                raise

    def get(self, name: str, place: Path) -> None:
        """Make the folder `place` from what is stored under `name`.

        Raises:
            ArtifactError: when there is nothing, or it is damaged.
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
        """Return the number of bytes stored under `name`; 0 if there is nothing."""
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
        """Turn an error of the store into one line."""
        try:
            yield
        except OSError as error:
            raise ConfigError(f"--store {self.url}: cannot be {done}: {error.strerror or reason_of(error)}") from None


def open_folders(url: str | None) -> RemoteFolders | None:
    """Open the remote folders at `url`; None for no URL."""
    return RemoteFolders(url) if url else None


def check(folders: RemoteFolders, scratch: Path) -> None:
    """Store a small folder, read it back and remove it.

    Raises:
        MMRecUnError: when a step fails.
    """
    name, sent, back = f"check-{secrets.token_hex(8)}", scratch / "sent", scratch / "back"
    sent.mkdir(parents=True)
    (sent / "word").write_text(name, encoding="utf-8")
    folders.put(sent, name)
    try:
        folders.get(name, back)
    finally:
        folders.remove(name)
    if (back / "word").read_text(encoding="utf-8") != name:
        raise ArtifactError(f"{folders.url} gave back something else than was put there")
