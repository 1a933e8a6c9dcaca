"""The contract of importers that other packages add under the entry point group `mmrecun.importers`."""

from pathlib import Path

from mmrecun.data.importers.options import Format, Imported, ImportOptions
from mmrecun.registry import Registry

OWN = {layout.value: "mmrecun.data.importers.read:read" for layout in Format}  # names that are taken
REGISTRY = Registry("format", "mmrecun.importers", OWN)


class Importer:
    """One way in which data are laid out. A subclass reads it."""

    def read(self, source: Path, options: ImportOptions) -> Imported:
        """Read `source`, which exists, into a dataset, with a report that counts every row of it.

        Raises:
            DataError: with file and line.
        """
        raise NotImplementedError


def importer_class(name: str) -> type[Importer]:
    """Import the importer that another package registers as `name`.

    Raises:
        ConfigError: with the nearest known format, or with the fault of the package that registers it.
    """
    return REGISTRY.load(name, Importer)
