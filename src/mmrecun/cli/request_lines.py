"""The request that the options of `mmrecun unlearn` name, and the line of a file that an error is about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrecun.cli.output import warn
from mmrecun.errors import ForgetError

if TYPE_CHECKING:
    from mmrecun.data.dataset import Dataset
    from mmrecun.data.ids import IdMap
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.jobs import Absent

_KINDS = ("users", "items", "pairs")


class RequestOptions(NamedTuple):
    """The options that name what is to be forgotten.

    Attributes:
        users, items, pairs: files, where they are given.
        user, item: ids given one by one.
        modality: values of `--modality`, each `NAME` or `NAME:FILE`.
    """

    users: Path | None
    items: Path | None
    pairs: Path | None
    user: list[str]
    item: list[str]
    modality: list[str]

    def files(self) -> list[tuple[str, Path]]:
        """Return the kind of each file ("users", "items" or "pairs"), and the file."""
        named = [Path(path) for _, mark, path in (value.partition(":") for value in self.modality) if mark]
        files = zip(_KINDS, (self.users, self.items, self.pairs), strict=True)
        return [*((kind, path) for kind, path in files if path is not None), *(("items", path) for path in named)]

    def read(self, data: "Dataset | None", lenient: bool = False) -> "ForgetRequest":
        """Return the request, with the files read.

        Args:
            data: dataset that the ids are compared with; None for a run in chunks, whose ids are not in memory.
            lenient: read a first line that is an unknown id as an id, not as a header.

        Raises:
            ForgetError: for a file that cannot be read.
        """
        from mmrecun.forget.parsing import read_ids, read_modalities, read_pairs
        from mmrecun.forget.request import ForgetRequest

        self._warn_of_other_fields()
        of_users, of_items = ((*each, warn, lenient) for each in _ids_and_headers(data))
        return ForgetRequest(
            users=(*self.user, *(read_ids(self.users, "user", *of_users) if self.users else ())),
            items=(*self.item, *(read_ids(self.items, "item", *of_items) if self.items else ())),
            pairs=read_pairs(self.pairs, data, warn) if self.pairs else (),
            modalities=read_modalities(self.modality, *of_items),
        )

    def _warn_of_other_fields(self) -> None:
        """Warn of fields of a request, such as its items, where the file is given for the others alone."""
        from mmrecun.data.importers.readers import TYPED_SUFFIXES
        from mmrecun.forget.typed_rows import fields_of_request

        files = [(kind, path) for kind, path in self.files() if path.suffix.lower() in TYPED_SUFFIXES]
        for path in dict.fromkeys(path for _, path in files if path.is_file()):
            read, fields = {kind for kind, other in files if other == path}, fields_of_request(path)
            if "pairs" in read and "pairs" not in fields:
                read |= {"users", "items"}  # columns of pairs
            for field in fields:
                if field not in read:
                    warn(f"{path}: its {field} were passed over; name them with an option of their own")


@contextmanager
def naming_lines(options: RequestOptions, data: "Dataset | None", absent_of: Callable[[], "Absent"]) -> Iterator[None]:
    """Prefix an error about ids that the run does not have with the file and the line of the first of them.

    Args:
        options: options of the request.
        data: dataset that the ids are compared with; None for a run in chunks.
        absent_of: returns the part of the request that the run does not have.
    """
    try:
        yield
    except ForgetError as error:
        absent = absent_of()
        lost = {kind: (*absent.unknown.get(kind, ()), *absent.forgotten.get(kind, ())) for kind in _KINDS}
        places = (_place(path, kind, lost[kind], data) for kind, path in options.files() if lost[kind])
        place = next((place for place in places if place), "")
        if not place:
            raise
        error.names_arguments = False  # the text is that of a command
        raise ForgetError(f"{place}: {error}") from None


def _place(path: Path, kind: str, lost: tuple[Any, ...], data: "Dataset | None") -> str:
    """Return the file and the line, or row, of the first of the `lost` ids in it; "" where it has none of them."""
    from mmrecun.data.importers.readers import TYPED_SUFFIXES
    from mmrecun.forget.request_text import line_of
    from mmrecun.forget.typed_rows import typed_place, typed_place_of_pair

    if path.suffix.lower() not in TYPED_SUFFIXES:
        number = line_of(path, lost)
        return "" if number is None else f"{'standard input' if str(path) == '-' else path}, line {number}"
    (users, user_header), (items, item_header) = _ids_and_headers(data)
    if kind == "pairs":
        return typed_place_of_pair(path, lost, (user_header, item_header), (users, items))
    if kind == "users":
        return typed_place(path, lost, "user", user_header, users)
    return typed_place(path, lost, "item", item_header, items)


def _ids_and_headers(data: "Dataset | None") -> "tuple[tuple[IdMap | None, str], tuple[IdMap | None, str]]":
    """Return the ids of users and of items, each with the name of the column that they were imported from."""
    if data is None:
        return (None, ""), (None, "")
    return (data.users, data.columns.get("user", "")), (data.items, data.columns.get("item", ""))
