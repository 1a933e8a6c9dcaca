"""An encoder from a local folder: an ONNX graph or a Hugging Face model. Nothing is downloaded."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrecun.arrays import Floats
from mmrecun.data.modality import Provenance
from mmrecun.encoders.base import Encoder, Kind, checksum
from mmrecun.encoders.pictures import Preparation
from mmrecun.errors import ConfigError
from mmrecun.extras import library
from mmrecun.text import reason_of

_LONGEST = 512  # tokens
_ONNX = ("model.onnx", "onnx/model.onnx")
_WEIGHTS = "model.safetensors"
Outputs = Callable[[dict[str, np.ndarray]], list[np.ndarray]]


def open_folder(folder: Path, modality: str) -> Encoder:
    """Open the encoder in `folder`.

    It is `model.onnx` or `model.safetensors`, with `tokenizer.json` for text or `preprocessor_config.json` for
    pictures. With both, the name of the modality decides.

    Raises:
        ConfigError: when the folder holds no such files, or a library is missing.
    """
    text, image = ((folder / name).is_file() for name in ("tokenizer.json", "preprocessor_config.json"))
    if not (text or image):
        raise ConfigError(
            f"{folder}: has neither tokenizer.json (text) nor preprocessor_config.json (pictures); "
            "without one it is unknown what the encoder reads"
        )
    graph = next((folder / name for name in _ONNX if (folder / name).is_file()), None)
    weights = graph or folder / _WEIGHTS
    if not weights.is_file():
        raise ConfigError(f"{folder}: has neither model.onnx nor {_WEIGHTS}; pickled weights are never loaded")
    run, version = _onnx(graph) if graph else _transformers(folder)
    if text and (modality != Kind.IMAGE or not image):
        return _Texts(folder, run, weights, version)
    return _Pictures(folder, run, weights, version)


def _onnx(path: Path) -> tuple[Outputs, str]:
    runtime = library("onnxruntime", "onnx", "an encoder in ONNX")
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001, its errors share no base class of their own
        raise ConfigError(f"{path}: not a readable ONNX graph: {reason_of(error)}") from None
    names = {entry.name for entry in session.get_inputs()}

    def run(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        lacking = names - set(inputs)
        if lacking:
            raise ConfigError(f"{path}: wants the input '{min(lacking)}'; known are: {', '.join(sorted(inputs))}")
        outputs: list[np.ndarray] = session.run(None, {name: inputs[name] for name in names})
        return outputs

    return run, f"onnxruntime {runtime.__version__}"


def _transformers(folder: Path) -> tuple[Outputs, str]:
    package = library("transformers", "huggingface", "an encoder of Hugging Face")
    try:
        model = package.AutoModel.from_pretrained(str(folder), local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder}: not a readable model: {reason_of(error)}") from None

    @torch.inference_mode()
    def run(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        known = {"input_ids", "attention_mask"} if "input_ids" in inputs else {"pixel_values"}
        given = {name: torch.from_numpy(inputs[name]) for name in known}
        return [model(**given).last_hidden_state.float().numpy()]

    return run, f"transformers {package.__version__}"


class _Texts:
    kind = Kind.TEXT
    batch = 32

    def __init__(self, folder: Path, run: Outputs, weights: Path, version: str) -> None:
        tokenizers = library("tokenizers", "onnx", "an encoder of text")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()
        self._run = run
        self.provenance = Provenance(
            encoder=folder.resolve().name, version=version, pooling="mean over tokens", checksum=checksum(weights)
        )

    def encode(self, contents: Sequence[str]) -> Floats:
        """Return float32 [B, F]: the first output, averaged over the tokens of each text."""
        encoded = self._tokenizer.encode_batch(list(contents))
        width = max(1, *(len(entry.ids) for entry in encoded))
        ids, mask = (np.zeros((len(encoded), width), dtype=np.int64) for _ in range(2))
        for row, entry in enumerate(encoded):
            ids[row, : len(entry.ids)], mask[row, : len(entry.ids)] = entry.ids, 1
        first = self._run({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0]
        if first.ndim == 2:  # pooled already
            return first.astype(np.float32)
        weighted = (first * mask[:, :, None]).sum(axis=1)
        means: Floats = (weighted / np.maximum(mask.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        return means


class _Pictures:
    kind = Kind.IMAGE
    batch = 16

    def __init__(self, folder: Path, run: Outputs, weights: Path, version: str) -> None:
        self._prepare = _preparation(folder / "preprocessor_config.json")
        self._run = run
        self.provenance = Provenance(
            encoder=folder.resolve().name, version=version, pooling="mean over places", checksum=checksum(weights)
        )

    def encode(self, contents: Sequence[np.ndarray]) -> Floats:
        """Return float32 [B, F]: the first output, averaged over its positions (tokens or cells)."""
        batch = np.stack([self._prepare.of(picture) for picture in contents])
        first = self._run({"pixel_values": batch})[0]
        if first.ndim == 4:  # [B, F, height, width]
            first = first.mean(axis=(2, 3))
        elif first.ndim == 3:  # [B, places, F]
            first = first.mean(axis=1)
        return first.astype(np.float32)


def _preparation(path: Path) -> Preparation:
    """Read side, mean and standard deviation from a `preprocessor_config.json`."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        size = values.get("crop_size") or values.get("size") or Preparation.side
        side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
        mean, deviation = values.get("image_mean", Preparation.mean), values.get("image_std", Preparation.deviation)
        return Preparation(int(side), tuple(map(float, mean)), tuple(map(float, deviation)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not readable as a preprocessor's settings: {error}") from None
