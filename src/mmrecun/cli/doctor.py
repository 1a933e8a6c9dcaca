"""`mmrecun doctor`."""

import typer

from mmrecun.cli.output import JsonFlag, emit, rows_table


def doctor(as_json: JsonFlag = False) -> None:
    """Check this installation: versions, device, threads, memory, a self-test. Exits 1 when a check fails."""
    from mmrecun.doctor import checks

    found = checks()
    if as_json:
        emit({"checks": found}, as_json)
    else:
        rows_table(found, "doctor")
    if any(check["state"] != "ok" for check in found):
        raise typer.Exit(1)
