"""The line of a request file that a refusal is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmrecun.errors import ForgetError

if TYPE_CHECKING:
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.runs import Run

_Names = tuple[str, ...] | tuple[tuple[str, str], ...]


@contextmanager
def naming_lines(
    run: "Run",
    request: "ForgetRequest",
    files: tuple[Path | None, Path | None, Path | None],
    modality: list[str],
    key: bytes | None,
) -> Iterator[None]:
    """Let a refusal of ids that the run does not have begin with the file and the line of the first of them.

    Args:
        run: what is unlearned.
        request: what was read from the files.
        files: of users, items and pairs.
        modality: values of the option, of which some name a file of items.
        key: as for `jobs.unlearn`.
    """
    try:
        yield
    except ForgetError as error:
        from mmrecun.jobs import absent_of

        absent = absent_of(run, request, key)
        lost = {kind: (*absent.unknown.get(kind, ()), *absent.forgotten.get(kind, ())) for kind in _KINDS}
        named = [Path(path) for _, mark, path in (value.partition(":") for value in modality) if mark]
        given = [*zip(_KINDS, files, strict=True), *(("items", path) for path in named)]
        places = (_place(path, lost[kind]) for kind, path in given if path is not None)
        place = next((place for place in places if place), "")
        if not place:
            raise
        raise ForgetError(f"{place}: {error}") from None


_KINDS = ("users", "items", "pairs")


def _place(path: Path, lost: _Names) -> str:
    """Return the file and the line of the first of the lost names that stands in it; "" for files without lines."""
    from mmrecun.data.importers.readers import TYPED_SUFFIXES
    from mmrecun.forget.request_text import line_of

    if path.suffix.lower() in TYPED_SUFFIXES:
        return ""
    number = line_of(path, lost)
    return "" if number is None else f"{path}, line {number}"
