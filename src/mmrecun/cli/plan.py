"""`mmrecun plan`."""

from mmrecun.cli.options import Data, Device, Model, Set
from mmrecun.cli.output import JsonFlag, duration, emit, facts_table
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
    needed, free = (f"{size / (1 << 30):.1f} GiB" for size in (made.memory_bytes, made.available_bytes))
    epoch = (
        "not measured" if made.seconds_per_epoch is None else f"{duration(made.seconds_per_epoch)} without validation"
    )
    facts_table(
        {
            "parameters": made.parameters,
            "memory": f"{needed} of {free} free",
            "one epoch": epoch,
            "fits": "yes" if fits else "no: choose a smaller dim or batch_size, or a larger machine",
        },
        f"training {model} on {data}",
    )
