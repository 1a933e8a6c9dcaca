"""Available models and methods by name, and the settings of each."""

from dataclasses import dataclass
from inspect import getdoc

from mmrecun.errors import ConfigError
from mmrecun.forget.request import Target
from mmrecun.models.base import Recommender
from mmrecun.models.registry import REGISTRY as MODEL_REGISTRY
from mmrecun.models.registry import model_class
from mmrecun.settings_help import SettingHelp, settings_help
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.base import Unlearner
from mmrecun.unlearning.registry import REGISTRY as METHOD_REGISTRY
from mmrecun.unlearning.registry import method_class


@dataclass(frozen=True)
class Registered:
    """A model or method that can be chosen.

    Attributes:
        name: as `--model` or `--method` takes it.
        summary: what it is or does, in one line.
        source: its paper; empty where there is none.
        package: the package that brings it.
        error: why it cannot be used; empty where it can.
    """

    name: str
    summary: str
    source: str
    package: str
    error: str = ""


@dataclass(frozen=True)
class RegisteredMethod(Registered):
    """An unlearning method that can be chosen.

    Attributes:
        forgets: the targets that it can forget, such as "users".
    """

    forgets: tuple[str, ...] = ()


def list_models() -> list[Registered]:
    """Describe every model, with those of other installed packages; one that cannot be imported has its error."""
    found = []
    for name in MODEL_REGISTRY.names():
        package = MODEL_REGISTRY.package_of(name)
        try:
            cls = model_class(name)
            found.append(Registered(name, *_facts(cls), package))
        except ConfigError as error:
            found.append(Registered(name, "", "", package, str(error)))
    return found


def list_methods() -> list[RegisteredMethod]:
    """Describe every method, with those of other installed packages; one that cannot be imported has its error."""
    found = []
    for name in METHOD_REGISTRY.names():
        package = METHOD_REGISTRY.package_of(name)
        try:
            cls = method_class(name)
            forgets = tuple(target.value for target in Target if target in cls.forgets)
            found.append(RegisteredMethod(name, *_facts(cls), package, forgets=forgets))
        except ConfigError as error:
            found.append(RegisteredMethod(name, "", "", package, str(error)))
    return found


def model_settings(name: str) -> dict[str, list[SettingHelp]]:
    """Describe the settings that `train` takes for the model `name`: those of the "model" and of the "training".

    Raises:
        ConfigError: when there is no such model.
    """
    return {"model": settings_help(model_class(name).Config), "training": settings_help(TrainConfig)}


def method_settings(name: str) -> dict[str, list[SettingHelp]]:
    """Describe the settings of the "method" `name`.

    Raises:
        ConfigError: when there is no such method.
    """
    return {"method": settings_help(method_class(name).Config)}


def _facts(cls: type[Recommender] | type[Unlearner]) -> tuple[str, str]:
    """Return the summary, or the first line of the docstring, and the source; neither is inherited."""
    own = vars(cls)
    return own.get("summary") or (getdoc(cls) or "").partition("\n")[0].rstrip("."), own.get("source", "")
