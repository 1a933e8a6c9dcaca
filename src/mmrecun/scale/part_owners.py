"""The hosts of a Ray cluster that own the parts of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrecun.chunked.parts import answer, part_folders
from mmrecun.errors import ArtifactError
from mmrecun.scale.ray_engine import Engine


@dataclass(frozen=True)
class OwnerOnHost:
    """A part on a host of a cluster.

    Attributes:
        engine: connection to the cluster.
        address: address of the host.
        folder: folder of the part on that host.
    """

    engine: Engine
    address: str
    folder: Path

    def ask(self, what: str, *arguments: Any) -> Any:
        """Answer; see `chunked.parts.Owner`.

        Raises:
            ArtifactError: when the host does not answer.
        """
        return self.engine.on_node(self.address, answer, self.folder, what, *arguments)


def owners_on(engine: Engine, place: Path) -> list[OwnerOnHost]:
    """Find the owner of each part below `place`, the same path on every host, in the order of the parts.

    Raises:
        ArtifactError: when a host does not answer, or two hosts have the same part.
    """
    found: dict[int, OwnerOnHost] = {}
    for address, parts in engine.on_every_node(part_folders, place).items():
        if isinstance(parts, Exception):
            raise ArtifactError(f"{address} does not answer, so its parts are not known")
        for number, folder in parts.items():
            if number in found:
                raise ArtifactError(f"{folder} is on {found[number].address} and on {address}; remove one")
            found[number] = OwnerOnHost(engine, address, folder)
    return [owner for _, owner in sorted(found.items())]
