"""Ids of a request that a run does not have and that are skipped."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmrecun.cli.output import warn
from mmrecun.errors import ConfigError

if TYPE_CHECKING:
    from mmrecun.jobs import Absent


def refuse_unused_file(unknown_file: Path | None, ignore_unknown: bool) -> None:
    """Refuse a file for what is passed over where nothing is, or in place of another file, such as the request.

    Raises:
        ConfigError: naming the missing option, or the file.
    """
    if unknown_file is None:
        return
    if not ignore_unknown:
        raise ConfigError(f"--unknown-file {unknown_file}: nothing is skipped without --ignore-unknown; add it")
    if unknown_file.is_file() and unknown_file.stat().st_size:
        from mmrecun.jobs import Absent, absent_table

        header = absent_table(Absent()).splitlines()[0].encode()
        with unknown_file.open("rb") as file:
            if file.readline().rstrip() != header:
                raise ConfigError(f"--unknown-file {unknown_file}: another file stands there; choose another name")


def show_absent(absent: "Absent", unknown_file: Path | None) -> None:
    """Warn of what is skipped, and write it to a file: a line for each, with kind, id or pair, and reason.

    Raises:
        ConfigError: when the file cannot be written.
    """
    for line in absent.lines():
        warn(f"passed over, {line}")
    if mentioned := absent.mentioned():
        warn(mentioned)
    if unknown_file is None:
        return
    from mmrecun.jobs import absent_table

    try:
        unknown_file.write_text(absent_table(absent), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--unknown-file {unknown_file}: cannot be written: {error.strerror}") from None
