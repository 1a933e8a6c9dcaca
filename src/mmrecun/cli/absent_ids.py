"""Ids of a request that a run does not have and that are skipped."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmrecun.cli.output import warn
from mmrecun.errors import ConfigError

if TYPE_CHECKING:
    from mmrecun.jobs import Absent


def refuse_unused_file(unknown_file: Path | None, ignore_unknown: bool) -> None:
    """Refuse `--unknown-file` without `--ignore-unknown`.

    Raises:
        ConfigError: naming the missing option.
    """
    if unknown_file is not None and not ignore_unknown:
        raise ConfigError(f"--unknown-file {unknown_file}: nothing is skipped without --ignore-unknown; add it")


def show_absent(absent: "Absent", unknown_file: Path | None) -> None:
    """Warn of what is skipped, and write it to a file: a line for each, with kind, id or pair, and reason.

    Raises:
        ConfigError: when the file cannot be written.
    """
    for line in absent.lines():
        warn(f"passed over, {line}")
    if unknown_file is None:
        return
    from mmrecun.jobs import absent_table

    try:
        unknown_file.write_text(absent_table(absent), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--unknown-file {unknown_file}: cannot be written: {error.strerror}") from None
