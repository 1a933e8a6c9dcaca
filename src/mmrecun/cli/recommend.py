"""`mmrecun recommend`."""

from typing import Annotated

import typer

from mmrecun.cli.mapped import in_chunks
from mmrecun.cli.options import OnParts, RunFolder
from mmrecun.cli.output import JsonFlag, print_json, print_line, rows_table


def recommend(
    run: RunFolder,
    user: Annotated[str, typer.Option("--user", help="The user's id.", show_default=False)],
    k: Annotated[int, typer.Option("-k", min=1, help="Number of items.")] = 10,
    on: OnParts = "here",
    as_json: JsonFlag = False,
) -> None:
    """List the best items for one user, without those that the user already has, in training or held out."""
    from mmrecun import jobs

    items = jobs.recommend_mapped(run, user, k, on) if in_chunks(run, on) else jobs.recommend(run, user, k)
    if as_json:
        print_json({"run": str(run), "user": user, "items": items})
    elif items:
        rows_table(items, f"best items for {user}")
    else:
        print_line(f"no item is left for {user}: the user has every one")
