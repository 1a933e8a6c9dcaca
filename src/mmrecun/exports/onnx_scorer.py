"""A scorer as one ONNX graph: user rows, pairs to leave out and a length in, lists out."""

from pathlib import Path
from typing import Any

from torch import Tensor

from mmrecun.exports.contents import ExportContents, write_ids
from mmrecun.extras import library
from mmrecun.progress import Progress

_OPSET, _IR_VERSION = 17, 8
_INSIDE = 1 << 30  # bytes; a protobuf message is limited to 2 GiB, so larger tables are in a separate file


def write_onnx(contents: ExportContents, folder: Path, progress: Progress) -> None:
    """Write `scorer.onnx`, and ids in row order in `users.parquet` and `items.parquet`.

    Inputs: `users` int64 [B] user rows; `seen` int64 [N, 2], (place in `users`, item row) never to be listed;
    `k` int64 [1]. Outputs: `items` int64 [B, k] item rows, best first, and `scores` float32 [B, k]; minus infinity
    where a user has no further item.

    Raises:
        ConfigError: when onnx is not installed.
    """
    onnx = library("onnx", "onnx", "an export to ONNX")
    model = onnx.helper.make_model(
        _graph(onnx, contents.users, contents.items),
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="mmrecun",
    )
    onnx.helper.set_model_props(model, {"run": contents.record.run, "dataset": contents.record.dataset})
    beside = contents.users.nbytes + contents.items.nbytes > _INSIDE
    onnx.save_model(model, str(folder / "scorer.onnx"), save_as_external_data=beside, location="scorer.onnx.data")
    write_ids(contents, folder, "users", "items")
    progress(1, 1, "scorer written")


def _graph(onnx: Any, users: Tensor, items: Tensor) -> Any:
    """Score = U[users] V^T; minus infinity at `seen`; then the k best."""
    make, numbers = onnx.helper, onnx.TensorProto
    from_array = onnx.numpy_helper.from_array
    nodes = [
        make.make_node("Gather", ["user_vectors", "users"], ["of"], axis=0),
        make.make_node("MatMul", ["of", "item_vectors"], ["all"]),
        make.make_node("Shape", ["seen"], ["count"], start=0, end=1),
        make.make_node(
            "ConstantOfShape", ["count"], ["never"], value=make.make_tensor("v", numbers.FLOAT, [1], [-float("inf")])
        ),
        make.make_node("ScatterND", ["all", "seen", "never"], ["unseen"]),
        make.make_node("TopK", ["unseen", "k"], ["scores", "items"], axis=1),
    ]
    inputs = [
        make.make_tensor_value_info("users", numbers.INT64, ["B"]),
        make.make_tensor_value_info("seen", numbers.INT64, ["N", 2]),
        make.make_tensor_value_info("k", numbers.INT64, [1]),
    ]
    outputs = [
        make.make_tensor_value_info("items", numbers.INT64, ["B", "K"]),
        make.make_tensor_value_info("scores", numbers.FLOAT, ["B", "K"]),
    ]
    tables = [from_array(users.numpy(), "user_vectors"), from_array(items.T.contiguous().numpy(), "item_vectors")]
    return make.make_graph(nodes, "mmrecun scorer", inputs, outputs, tables)
