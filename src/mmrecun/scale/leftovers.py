"""Copies of personal data that interrupted commands left: beside runs, in temporary folders of hosts, in a store.

None of them is part of a run. Only a command that resumes after an interruption needs them.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mmrecun.claims import is_claimed
from mmrecun.errors import ArtifactError
from mmrecun.scale.piece import SCRATCH
from mmrecun.scale.ray_engine import CLUSTER, connected
from mmrecun.scale.remote_folders import RemoteFolders, open_folders

_KINDS = {
    "resume.safetensors": "interrupted training",
    "training": "interrupted training on disk",
    "pieces": "interrupted runs of several seeds",
    "shadows": "interrupted shadow models",
    "encoding": "interrupted encoding of content",
    "partial": "unfinished folder or file",
}
_BESIDE = re.compile(
    r"\.{1,2}(?P<target>.+?)\."
    r"(?:(?:resume\.safetensors\.)?[0-9a-f]{16}\.partial|(?P<kind>resume\.safetensors|training|pieces|shadows|encoding))",
    re.DOTALL,
)
_SCRATCH = f"{SCRATCH}*"  # folders of `scale.ray_executor` and `scale.sharded_training`
_CLUSTER = f"{CLUSTER}*"  # Ray's files for a cluster of this machine
_SPILLED = "ray/session_2*/*spilled*"  # objects that Ray wrote to disk for want of memory


class Leftover(NamedTuple):
    """A copy of data that an interrupted command left.

    Attributes:
        host: address of the host of a cluster; empty for this machine and for a store.
        place: path or URL.
        kind: a description.
        size: size in bytes.
    """

    host: str
    place: str
    kind: str
    size: int


def beside(folders: Iterable[Path]) -> list[Leftover]:
    """Find what interrupted commands left in `folders`, which contain runs; subfolders are not searched.

    Files of a run that a command is making now are left out.
    """
    found = []
    for folder in sorted({folder.resolve() for folder in folders}):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = _BESIDE.fullmatch(path.name)
            if match and not is_claimed(path.with_name(match["target"])):
                found.append(Leftover("", str(path), _KINDS[match["kind"] or "partial"], _size(path)))
    return found


def on_host() -> list[Leftover]:
    """Find what commands left in the temporary folder of the host that runs this."""
    temporary = Path(tempfile.gettempdir())
    patterns = (
        (_SCRATCH, "scratch of a cluster's command"),
        (_CLUSTER, "cluster of this machine"),
        (_SPILLED, "objects that Ray spilled"),
    )
    return [
        Leftover("", str(path), kind, _size(path))
        for pattern, kind in patterns
        for path in sorted(temporary.glob(pattern))
    ]


def in_store(url: str) -> list[Leftover]:
    """Find the folders in a store: of benches, trainings and datasets."""
    folders = RemoteFolders(url)
    return [Leftover("", f"{folders.url}/{name}", "folder in a store", folders.size(name)) for name in folders.names()]


def on_cluster(address: str | None) -> list[Leftover]:
    """Call `on_host` on every host of the cluster with the head `address`.

    Raises:
        ArtifactError: when a host does not answer.
    """
    with connected(address) as engine:
        answers = engine.on_every_node(on_host)
    for host, answer in answers.items():
        if isinstance(answer, Exception):
            raise ArtifactError(f"{host} does not answer, so it could not be searched")
    return [found._replace(host=host) for host, answer in answers.items() for found in map(Leftover._make, answer)]


def remove(found: Iterable[Leftover], store: str | None = None, address: str | None = None) -> None:
    """Remove copies that were found; no command that makes runs may be running.

    Args:
        found: results of the functions above.
        store: URL of the store, if some are in a store.
        address: head of the cluster, if some are on its hosts.

    Raises:
        ArtifactError: when one cannot be removed.
    """
    remote = open_folders(store)
    for one in (one for one in found if not one.host):
        if remote is not None and one.place.startswith(f"{remote.url}/"):
            remote.remove(one.place.removeprefix(f"{remote.url}/"))
        else:
            _remove(one.place)
    elsewhere = [one.place for one in found if one.host]
    if elsewhere:
        with connected(address) as engine:
            for host, answer in engine.on_every_node(remove_all, elsewhere).items():
                if isinstance(answer, Exception):
                    raise ArtifactError(f"{host}: not everything could be removed: {str(answer).splitlines()[-1]}")


def remove_all(places: list[str]) -> None:
    """Remove those of the paths that exist on the host that runs this."""
    for place in places:
        _remove(place)


def _remove(place: str) -> None:
    path = Path(place)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be removed: {error.strerror}") from None


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder but those that a running command removes meanwhile."""
    found = 0
    for part in (path, *path.rglob("*")):
        with suppress(OSError):
            found += part.lstat().st_size if part.is_file() else 0
    return found
