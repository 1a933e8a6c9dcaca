"""Every format of other libraries' model files by its name on the command line.

Reading the names imports no adapter. Other packages add adapters under the entry point group `mmrecun.adapters` (see
`mmrecun.registry`).
"""

from typing import TYPE_CHECKING

from mmrecun.registry import Registry

if TYPE_CHECKING:
    from mmrecun.adapters.adapter import Adapter

ADAPTERS = {
    "implicit": "mmrecun.adapters.implicit:ImplicitFiles",
    "mmrec": "mmrecun.adapters.mmrec:MMRecStateDicts",
    "recbole": "mmrecun.adapters.recbole:RecBoleCheckpoints",
    "torch": "mmrecun.adapters.checkpoints:TorchCheckpoints",
    "vectors": "mmrecun.adapters.vectors:VectorFolders",
}
REGISTRY = Registry("format", "mmrecun.adapters", ADAPTERS)


def adapter_class(name: str) -> "type[Adapter]":
    """Import the adapter of the format called `name`.

    Raises:
        ConfigError: naming the nearest known format, or what is wrong with the package that registers it.
    """
    from mmrecun.adapters.adapter import Adapter

    return REGISTRY.load(name, Adapter)
