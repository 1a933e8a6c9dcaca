"""`mmrecun doctor`."""

import typer

from mmrecun.cli.output import JsonFlag, print_json, rows_table


def doctor(as_json: JsonFlag = False) -> None:
    """Check this installation: versions, device, threads, memory, a self-test. Exits 1 when a check fails."""
    from mmrecun.jobs import checks

    found = checks()
    bad = sum(check["state"] != "ok" for check in found)
    if as_json:
        print_json({"checks": found}, as_json)
    else:
        rows_table(found, f"{bad} of {len(found)} checks failed" if bad else "all is well")
    if bad:
        raise typer.Exit(1)
