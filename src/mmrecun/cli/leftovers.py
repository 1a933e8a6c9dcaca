"""`mmrecun leftovers`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from mmrecun.cli.options import StoreUrl
from mmrecun.cli.output import JsonFlag, print_json, rows_table, warn
from mmrecun.errors import ConfigError


def leftovers(
    folders: Annotated[
        list[Path], typer.Argument(metavar="[FOLDER]...", help="Folders in which runs lie.", show_default=False)
    ] = [],
    store: StoreUrl = None,
    on: Annotated[
        str, typer.Option("--on", metavar="here|ray:HOST:PORT", help="This machine, or all hosts of a cluster.")
    ] = "here",
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what is found; no command that makes runs may be running.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find copies of people's data that interrupted commands left, and remove them."""
    from mmrecun.scale import leftovers as found_by
    from mmrecun.scale.choice import HERE, head_of

    address = head_of(on)
    if on != HERE and address is None:
        raise ConfigError(f"--on {on}: a cluster of this machine leaves everything here; name another by ray:HOST:PORT")
    for folder in folders or []:
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder; name those in which runs lie, or none for the current one")
    found = found_by.beside(folders or [Path()])
    found += found_by.on_host() if on == HERE else found_by.on_cluster(address)
    found += found_by.in_store(store) if store else []
    if remove:
        found_by.remove(found, store, address)
    rows = [one._asdict() for one in found]
    if as_json:
        print_json({"leftovers": rows, "removed": remove})
        return
    rows_table(rows, f"{len(rows)} left by interrupted commands{', now removed' if remove else ''}")


def name_leftovers(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Warn of leftovers of interrupted commands in `folders`, which contain runs, and on this machine; return them."""
    from mmrecun.scale.leftovers import beside, on_host

    found = beside(folders) + on_host()
    for one in found:
        warn(
            f"{one.place}: {one.kind}, which may hold what was forgotten; once no command runs here any more, "
            "mmrecun leftovers --remove takes it away"
        )
    return [one._asdict() for one in found]
