"""Modules keyed by modality, and the modality that each parameter belongs to."""

from torch import nn


class PerModality(nn.ModuleDict):
    """A ModuleDict keyed by modality. Any name will do, even one that is an attribute of modules.

    Its modules are reached by key alone, never as attributes, nor by `get_submodule` or `get_parameter` from outside.
    Parameters are named as in a ModuleDict: `gates.image.weight`.
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Put `module` under the key `name`, without the refusal of names such as "type" and "training"."""
        self._modules[name] = module  # type: ignore[assignment]  # torch's own annotation leaves out None

    def __setattr__(self, name: str, value: object) -> None:
        # nn.Module would read an attribute with the name of a module, such as `training`, as that module
        object.__setattr__(self, name, value)


def own_view(modality: str) -> str:
    """Return the name of the view of `Vectors` that holds a modality's own vectors, for the model's losses."""
    return f"own {modality}"


def modality_of_parameters(model: nn.Module) -> dict[str, str]:
    """Return parameter name -> modality, for the parameters of `model` that belong to one.

    The place of a module decides, not its name: `users.weight` does not belong to a modality called "users".
    """
    found: dict[str, str] = {}
    for path, group in model.named_modules():
        if isinstance(group, PerModality):
            for modality, module in group.items():
                found |= {f"{path}.{modality}.{name}": modality for name in module.state_dict()}
    return found
