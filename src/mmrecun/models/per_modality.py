"""One module for each modality, whatever the modality is called, and which parameters belong to which modality."""

from torch import nn


class PerModality(nn.ModuleDict):
    """A ModuleDict whose keys are modalities: any name will do, also one that is an attribute of modules.

    Its modules are reached by key alone, never as attributes, nor by `get_submodule` or `get_parameter` from outside.
    Parameters are called as in a ModuleDict: `gates.image.weight`.
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Put `module` under the key `name`, without the refusal of names such as "type" and "training"."""
        self._modules[name] = module  # type: ignore[assignment]  # torch's own annotation leaves out None

    def __setattr__(self, name: str, value: object) -> None:
        # nn.Module would take an attribute that is called like one of the modules for that module: `training`, say
        object.__setattr__(self, name, value)


def modality_of_parameters(model: nn.Module) -> dict[str, str]:
    """Return parameter name -> the modality it belongs to, for those of `model` that belong to one.

    Where each module hangs decides, not how it is called: `users.weight` belongs to no modality called "users".
    """
    found: dict[str, str] = {}
    for path, group in model.named_modules():
        if isinstance(group, PerModality):
            for modality, module in group.items():
                found |= {f"{path}.{modality}.{name}": modality for name in module.state_dict()}
    return found
