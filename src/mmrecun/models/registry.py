"""Every recommender by the name the command line and run folders use."""

from mmrecun.errors import ConfigError
from mmrecun.models.base import Recommender
from mmrecun.models.bm3 import BM3
from mmrecun.models.bprmf import BPRMF
from mmrecun.models.freedom import FREEDOM
from mmrecun.models.lightgcn import LightGCN
from mmrecun.models.mgcn import MGCN
from mmrecun.models.vbpr import VBPR
from mmrecun.text import unknown_name

MODELS: dict[str, type[Recommender]] = {
    "bprmf": BPRMF,
    "vbpr": VBPR,
    "lightgcn": LightGCN,
    "mgcn": MGCN,
    "freedom": FREEDOM,
    "bm3": BM3,
}


def model_class(name: str) -> type[Recommender]:
    """Return the recommender called `name`.

    Raises:
        ConfigError: naming the nearest known model.
    """
    if name not in MODELS:
        raise ConfigError(unknown_name("model", name, list(MODELS)))
    return MODELS[name]


def model_name(model: Recommender) -> str:
    """Return the registered name of `model`."""
    return next(name for name, known in MODELS.items() if type(model) is known)
