"""The formats of `mmrecun export --to`."""

from collections.abc import Callable
from pathlib import Path

from mmrecun.exports.contents import ExportContents
from mmrecun.exports.faiss_index import write_faiss
from mmrecun.exports.huggingface import write_huggingface
from mmrecun.exports.mlflow_model import write_mlflow
from mmrecun.exports.onnx_scorer import write_onnx
from mmrecun.exports.vectors import write_as_npy, write_as_parquet, write_as_safetensors
from mmrecun.progress import Progress

Writer = Callable[[ExportContents, Path, Progress], None]
LISTS = "lists"  # the one format with a setting, the length of a list

WRITERS: dict[str, Writer] = {
    "vectors": write_as_parquet,
    "npy": write_as_npy,
    "safetensors": write_as_safetensors,
    "faiss": write_faiss,
    "onnx": write_onnx,
    "mlflow": write_mlflow,
    "huggingface": write_huggingface,
}
