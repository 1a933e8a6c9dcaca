"""`mmrecun doctor`."""

import typer

from mmrecun.cli.options import On, StoreUrl
from mmrecun.cli.output import JsonFlag, print_json, rows_table
from mmrecun.errors import ConfigError
from mmrecun.text import counted


def doctor(on: On = "here", store: StoreUrl = None, as_json: JsonFlag = False) -> None:
    """Check this installation: versions, device, threads, memory, a self-test. Exits 1 when a check fails.

    With --on also the hosts of a cluster: the same versions, how soon a lost host is noticed, a token, and the --store.
    """
    if store is not None and on == "here":
        raise ConfigError("--store is for a cluster; add --on ray or --on ray:HOST:PORT")
    from mmrecun.jobs import checks
    from mmrecun.scale.choice import head_of

    address = head_of(on)
    found = checks()
    if on != "here":
        from mmrecun.scale.cluster_checks import cluster_checks

        found += cluster_checks(address, store)
    bad = sum(check["state"] != "ok" for check in found)
    if as_json:
        print_json({"checks": found})
    else:
        rows_table(found, f"{bad} of {counted(len(found), 'check')} failed" if bad else "all is well")
    if bad:
        raise typer.Exit(1)
