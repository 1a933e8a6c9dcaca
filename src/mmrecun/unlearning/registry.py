"""Every unlearning method by the name the command line and run folders use."""

from mmrecun.errors import ConfigError
from mmrecun.settings import unknown_name
from mmrecun.unlearning.amnesiac import Amnesiac
from mmrecun.unlearning.ascent import Ascent
from mmrecun.unlearning.base import Unlearner
from mmrecun.unlearning.cova import COVA
from mmrecun.unlearning.finetune import Finetune
from mmrecun.unlearning.gsgcf import GSGCF
from mmrecun.unlearning.mmrecun import MMRecUn
from mmrecun.unlearning.mmrecun_paper import MMRecUnPaper
from mmrecun.unlearning.multidelete import MultiDelete
from mmrecun.unlearning.neggrad import NegGrad
from mmrecun.unlearning.obliviate import Obliviate
from mmrecun.unlearning.receraser import RecEraser
from mmrecun.unlearning.reset import Reset
from mmrecun.unlearning.retrain import Retrain
from mmrecun.unlearning.rrl import RRL
from mmrecun.unlearning.scif import SCIF
from mmrecun.unlearning.scrub import Scrub
from mmrecun.unlearning.sisa import SISA
from mmrecun.unlearning.tru import TRU
from mmrecun.unlearning.unlink import Unlink

METHODS: dict[str, type[Unlearner]] = {
    "mmrecun": MMRecUn,
    "mmrecun-paper": MMRecUnPaper,
    "retrain": Retrain,
    "cova": COVA,
    "gsgcf": GSGCF,
    "obliviate": Obliviate,
    "receraser": RecEraser,
    "scif": SCIF,
    "sisa": SISA,
    "amnesiac": Amnesiac,
    "ascent": Ascent,
    "finetune": Finetune,
    "multidelete": MultiDelete,
    "neggrad": NegGrad,
    "reset": Reset,
    "rrl": RRL,
    "scrub": Scrub,
    "tru": TRU,
    "unlink": Unlink,
}


def method_class(name: str) -> type[Unlearner]:
    """The method called `name`.

    Raises:
        ConfigError: naming the nearest known method.
    """
    if name not in METHODS:
        raise ConfigError(unknown_name("method", name, list(METHODS)))
    return METHODS[name]
