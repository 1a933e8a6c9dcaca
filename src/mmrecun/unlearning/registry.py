"""Every unlearning method by the name the command line and run folders use."""

from mmrecun.errors import ConfigError
from mmrecun.settings import unknown_name
from mmrecun.unlearning.base import Unlearner
from mmrecun.unlearning.mmrecun import MMRecUn
from mmrecun.unlearning.mmrecun_paper import MMRecUnPaper
from mmrecun.unlearning.retrain import Retrain

METHODS: dict[str, type[Unlearner]] = {"mmrecun": MMRecUn, "mmrecun-paper": MMRecUnPaper, "retrain": Retrain}


def method_class(name: str) -> type[Unlearner]:
    """The method called `name`.

    Raises:
        ConfigError: naming the nearest known method.
    """
    if name not in METHODS:
        raise ConfigError(unknown_name("method", name, list(METHODS)))
    return METHODS[name]
