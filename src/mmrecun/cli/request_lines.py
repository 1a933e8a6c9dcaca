"""The line of a request file that a refusal is about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrecun.errors import ForgetError

if TYPE_CHECKING:
    from mmrecun.data.dataset import Dataset
    from mmrecun.jobs import Absent

_KINDS = ("users", "items", "pairs")


class RequestFiles(NamedTuple):
    """The files of a request, and what they are held against.

    Attributes:
        users, items, pairs: files, where they are given.
        modality: values of the option, of which some name a file of items.
        data: the dataset that is unlearned; None for a run in chunks, which has no such thing in memory.
    """

    users: Path | None
    items: Path | None
    pairs: Path | None
    modality: list[str]
    data: "Dataset | None"

    def given(self) -> list[tuple[str, Path]]:
        """Return what each file is of, and the file."""
        named = [Path(path) for _, mark, path in (value.partition(":") for value in self.modality) if mark]
        files = zip(_KINDS, (self.users, self.items, self.pairs), strict=True)
        return [*((kind, path) for kind, path in files if path is not None), *(("items", path) for path in named)]


@contextmanager
def naming_lines(files: RequestFiles, absent_of: Callable[[], "Absent"]) -> Iterator[None]:
    """Let a refusal of ids that the run does not have begin with the file and the line of the first of them.

    Args:
        files: of the request.
        absent_of: returns what the run does not have of the request.
    """
    try:
        yield
    except ForgetError as error:
        absent = absent_of()
        lost = {kind: (*absent.unknown.get(kind, ()), *absent.forgotten.get(kind, ())) for kind in _KINDS}
        places = (_place(path, kind, lost[kind], files.data) for kind, path in files.given() if lost[kind])
        place = next((place for place in places if place), "")
        if not place:
            raise
        raise ForgetError(f"{place}: {error}") from None


def _place(path: Path, kind: str, lost: tuple[Any, ...], data: "Dataset | None") -> str:
    """Return the file and the line, or row, of the first of the lost names that stands in it; "" for none."""
    from mmrecun.data.importers.readers import TYPED_SUFFIXES
    from mmrecun.forget.request_text import line_of
    from mmrecun.forget.typed_rows import typed_place, typed_place_of_pair

    if path.suffix.lower() not in TYPED_SUFFIXES:
        number = line_of(path, lost)
        return "" if number is None else f"{'standard input' if str(path) == '-' else path}, line {number}"
    columns = data.columns if data else {}
    headers = columns.get("user", ""), columns.get("item", "")
    known = (data.users, data.items) if data else (None, None)
    if kind == "pairs":
        return typed_place_of_pair(path, lost, headers, known)
    side = 0 if kind == "users" else 1
    return typed_place(path, lost, ("user", "item")[side], headers[side], known[side])
