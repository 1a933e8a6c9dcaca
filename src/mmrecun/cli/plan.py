"""`mmrecun plan`."""

from mmrecun.cli.options import Data, Device, Model, Set
from mmrecun.cli.output import JsonFlag, facts_table, print_json
from mmrecun.errors import ConfigError
from mmrecun.settings import parse_assignments
from mmrecun.text import duration


def plan(
    data: Data,
    model: Model = "mgcn",
    assignments: Set = [],  # noqa: B006
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Say what memory and time a training on DATA would take; refuse one that this machine has no memory for."""
    from mmrecun.jobs import plan as make_plan

    made = make_plan(data, model, parse_assignments(assignments), device)
    needed, free = (f"{size / (1 << 30):.1f} GiB" for size in (made.memory_bytes, made.available_bytes))
    if as_json:
        print_json({**vars(made), "fits": made.fits}, as_json)
    if made.seconds_per_epoch is None:
        raise ConfigError(f"training {model} on {data} would take {needed}, of {free} free; {made.advice}")
    if not as_json:
        facts = {
            "parameters": made.parameters,
            "memory": f"{needed} of {free} free",
            "one epoch": f"{duration(made.seconds_per_epoch)} without validation",
        }
        facts_table(facts, f"training {model} on {data}")
