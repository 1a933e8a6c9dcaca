"""`mmrecun plan`."""

from mmrecun.cli.options import Data, Device, Model, Set
from mmrecun.cli.output import JsonFlag, emit
from mmrecun.settings import parse_assignments


def plan(
    data: Data,
    model: Model = "mgcn",
    assignments: Set = [],  # noqa: B006
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Say what memory and time a training on DATA would take."""
    from mmrecun.plan import plan as make_plan

    made = make_plan(data, model, parse_assignments(assignments), device)
    fits = made.memory_bytes < made.available_bytes
    if as_json:
        emit({**vars(made), "fits": fits}, as_json)
        return
    giga = 1 << 30
    result = {
        "memory": f"{made.memory_bytes / giga:.2f} GiB of {made.available_bytes / giga:.2f} GiB free",
        "one epoch": f"{made.seconds_per_epoch:.1f} s" if made.seconds_per_epoch is not None else "not measured",
        "parameters": f"{made.parameters:,}",
        "fits": "yes" if fits else "no: choose a smaller dim or batch_size, or a larger machine",
    }
    emit(result, as_json, f"{model} on {data}")
