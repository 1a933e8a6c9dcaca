"""Every format of other people's model files by the name that the command line uses."""

from mmrecun import extension
from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.checkpoints import TorchCheckpoints
from mmrecun.adapters.implicit import ImplicitFiles
from mmrecun.adapters.mmrec import MMRecStateDicts
from mmrecun.adapters.recbole import RecBoleCheckpoints
from mmrecun.adapters.vectors import VectorFolders

ADAPTERS: dict[str, type[Adapter]] = {
    "implicit": ImplicitFiles,
    "mmrec": MMRecStateDicts,
    "recbole": RecBoleCheckpoints,
    "torch": TorchCheckpoints,
    "vectors": VectorFolders,
}


def adapter_class(name: str) -> type[Adapter]:
    """Return the adapter called `name`, ours or one that another package adds under `mmrecun.adapters`.

    Raises:
        ConfigError: naming the nearest known format, or what is wrong with the package that adds it.
    """
    return extension.find("adapter", name, ADAPTERS, Adapter)
