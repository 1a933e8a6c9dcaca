"""Every unlearning method by the name that the command line and run folders use.

Reading the names imports no method, and so no torch. Other packages add methods under the entry point group
`mmrecun.methods` (see `mmrecun.registry`).
"""

from typing import TYPE_CHECKING

from mmrecun.registry import Registry

if TYPE_CHECKING:
    from mmrecun.unlearning.base import Unlearner

METHODS = {
    "mmrecun": "mmrecun.unlearning.mmrecun.method:MMRecUn",
    "mmrecun-paper": "mmrecun.unlearning.gradient.mmrecun_paper:MMRecUnPaper",
    "retrain": "mmrecun.unlearning.retrain:Retrain",
    "unlink": "mmrecun.unlearning.unlink:Unlink",
    "reset": "mmrecun.unlearning.reset:Reset",
    "finetune": "mmrecun.unlearning.gradient.finetune:Finetune",
    "ascent": "mmrecun.unlearning.gradient.ascent:Ascent",
    "neggrad": "mmrecun.unlearning.gradient.neggrad:NegGrad",
    "amnesiac": "mmrecun.unlearning.gradient.amnesiac:Amnesiac",
    "scrub": "mmrecun.unlearning.gradient.scrub:Scrub",
    "rrl": "mmrecun.unlearning.gradient.rrl:RRL",
    "multidelete": "mmrecun.unlearning.gradient.multidelete:MultiDelete",
    "tru": "mmrecun.unlearning.gradient.tru:TRU",
    "sisa": "mmrecun.unlearning.sharded.sisa:SISA",
    "receraser": "mmrecun.unlearning.sharded.receraser:RecEraser",
    "scif": "mmrecun.unlearning.editing.scif:SCIF",
    "obliviate": "mmrecun.unlearning.editing.obliviate:Obliviate",
    "cova": "mmrecun.unlearning.editing.cova:COVA",
    "gsgcf": "mmrecun.unlearning.editing.gsgcf:GSGCF",
}
REGISTRY = Registry("method", "mmrecun.methods", METHODS)


def method_class(name: str) -> "type[Unlearner]":
    """Import the method called `name`.

    Raises:
        ConfigError: naming the nearest known method, or what is wrong with the package that registers it.
    """
    from mmrecun.unlearning.base import Unlearner

    return REGISTRY.load(name, Unlearner)
