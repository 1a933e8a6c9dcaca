"""Every recommender by the name that the command line and run folders use.

Reading the names imports no model, and so no torch. Other packages add models under the entry point group
`mmrecun.models` (see `mmrecun.registry`).
"""

from typing import TYPE_CHECKING

from mmrecun.registry import Registry

if TYPE_CHECKING:
    from mmrecun.models.base import Recommender

MODELS = {
    "bprmf": "mmrecun.models.bprmf:BPRMF",
    "vbpr": "mmrecun.models.vbpr:VBPR",
    "lightgcn": "mmrecun.models.lightgcn:LightGCN",
    "mgcn": "mmrecun.models.mgcn:MGCN",
    "freedom": "mmrecun.models.freedom:FREEDOM",
    "bm3": "mmrecun.models.bm3:BM3",
}
REGISTRY = Registry("model", "mmrecun.models", MODELS)


def model_class(name: str) -> "type[Recommender]":
    """Import the recommender called `name`.

    Raises:
        ConfigError: naming the nearest known model, or what is wrong with the package that registers it.
    """
    from mmrecun.models.base import Recommender

    return REGISTRY.load(name, Recommender)


def model_name(model: "Recommender") -> str:
    """Return the registered name of `model`.

    Raises:
        ConfigError: when its class is not registered.
    """
    return REGISTRY.name_of(type(model))
