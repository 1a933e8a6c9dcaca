"""Encoders by name, or by the path of a local folder."""

from importlib import import_module
from pathlib import Path

from mmrecun.encoders.base import Encoder
from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name

ENCODERS = {
    "wordllama": "mmrecun.encoders.wordllama:WordLlama",
    "efficientnet-lite0": "mmrecun.encoders.efficientnet:EfficientNetLite0",
    "log-mel": "mmrecun.encoders.log_mel:LogMel",
}
DEFAULTS = {"text": "wordllama", "image": "efficientnet-lite0", "audio": "log-mel"}


def open_encoder(name: str, modality: str) -> Encoder:
    """Open an encoder.

    Args:
        name: one of `ENCODERS`, the path of a folder, or "" for the default of `modality`.
        modality: name of the new modality.

    Raises:
        ConfigError: when the name is unknown, the modality has no default, or a library is missing.
    """
    if not name and modality not in DEFAULTS:
        raise ConfigError(
            f"there is no default encoder for '{modality}'; name one with --encoder: {', '.join(ENCODERS)}"
        )
    name = name or DEFAULTS[modality]
    if name in ENCODERS:
        module, _, cls = ENCODERS[name].partition(":")
        encoder: Encoder = getattr(import_module(module), cls)()
        return encoder
    if Path(name).is_dir():
        from mmrecun.encoders.local_folder import open_folder

        return open_folder(Path(name), modality)
    raise ConfigError(f"{unknown_name('encoder', name, [*ENCODERS])}, or the path of a local folder")
