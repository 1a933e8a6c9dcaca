"""`mmrecun fold`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrecun.chunked.folders import is_mapped
from mmrecun.cli.mapped import in_parts
from mmrecun.cli.options import Out
from mmrecun.cli.output import JsonFlag, facts_table, print_json
from mmrecun.errors import ConfigError
from mmrecun.text import counted


def fold(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run in chunks, or the folder of its parts.", show_default=False)
    ],
    out: Out,
    as_json: JsonFlag = False,
) -> None:
    """Write the rows of RUN that wait in a patch into their chunks, so that older runs can be removed for good."""
    if not is_mapped(run) and not in_parts(run):
        why = "; only those are folded" if run.exists() else ": no such folder"
        raise ConfigError(f"{run} is not a run in chunks{why}")
    from mmrecun import jobs

    folded = jobs.fold_mapped(run, out)
    if as_json:
        print_json({"run": str(out), "from": str(run), "folded": folded})
        return
    facts_table({"run": out, "from": run, "folded": counted(folded, "row")}, "folded")
