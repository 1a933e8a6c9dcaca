"""Every unlearning method by the name the command line and run folders use."""

from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name
from mmrecun.unlearning.base import Unlearner
from mmrecun.unlearning.editing.cova import COVA
from mmrecun.unlearning.editing.gsgcf import GSGCF
from mmrecun.unlearning.editing.obliviate import Obliviate
from mmrecun.unlearning.editing.scif import SCIF
from mmrecun.unlearning.gradient.amnesiac import Amnesiac
from mmrecun.unlearning.gradient.ascent import Ascent
from mmrecun.unlearning.gradient.finetune import Finetune
from mmrecun.unlearning.gradient.mmrecun_paper import MMRecUnPaper
from mmrecun.unlearning.gradient.multidelete import MultiDelete
from mmrecun.unlearning.gradient.neggrad import NegGrad
from mmrecun.unlearning.gradient.rrl import RRL
from mmrecun.unlearning.gradient.scrub import Scrub
from mmrecun.unlearning.gradient.tru import TRU
from mmrecun.unlearning.mmrecun.method import MMRecUn
from mmrecun.unlearning.reset import Reset
from mmrecun.unlearning.retrain import Retrain
from mmrecun.unlearning.sharded.receraser import RecEraser
from mmrecun.unlearning.sharded.sisa import SISA
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
    """Return the method called `name`.

    Raises:
        ConfigError: naming the nearest known method.
    """
    if name not in METHODS:
        raise ConfigError(unknown_name("method", name, list(METHODS)))
    return METHODS[name]
