"""Pieces in this process: what is made, in which order, and what one that fails takes with it."""

from pathlib import Path

import pytest

from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.progress import no_progress
from mmrecun.scale.choice import chosen_executor, head_of
from mmrecun.scale.local_executor import LocalExecutor
from mmrecun.scale.piece import Failure, Piece, perform

MAKERS = "tests.scale.makers"


def piece(name: str, add: int = 0, of: tuple[str, ...] = (), make: str = "sum_of_needs") -> Piece:
    return Piece(name=f"made/{name}", make=f"{MAKERS}:{make}", given={"add": add, "of": of}, needs=of, note=name)


def sums(root: Path) -> dict[str, int]:
    return {path.parent.name: int(path.read_text()) for path in root.glob("made/*/sum")}


def test_needs_come_first_whatever_the_order_and_a_name_is_made_once(tmp_path: Path):
    pieces = [piece("c", 100, ("made/a", "made/b")), piece("b", 10, ("made/a",)), piece("a", 1), piece("a", 1)]
    made = list(LocalExecutor().make(pieces, tmp_path, no_progress))
    assert [one.piece.note for one in made] == ["a", "b", "c"]
    assert sums(tmp_path) == {"a": 1, "b": 11, "c": 112}
    assert not list(tmp_path.rglob("*.partial"))


def test_what_is_there_is_not_made_again(tmp_path: Path):
    list(LocalExecutor().make([piece("a", 1)], tmp_path, no_progress))
    (tmp_path / "made" / "a" / "sum").write_text("7")
    list(LocalExecutor().make([piece("b", 10, ("made/a",)), piece("a", 1)], tmp_path, no_progress))
    assert sums(tmp_path) == {"a": 7, "b": 17}


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        ("refuse", "ForgetError", "there is nobody of that name"),
        ("stumble", "ZeroDivisionError", "ZeroDivisionError: two"),
    ],
)
def test_a_failure_takes_with_it_only_what_needs_it(tmp_path: Path, make: str, kind: str, text: str):
    pieces = [
        piece("bad", make=make),
        piece("child", 1, ("made/bad",)),
        piece("grandchild", 1, ("made/child",)),
        piece("other", 5),
    ]
    made = {one.piece.note: one.failure for one in LocalExecutor().make(pieces, tmp_path, no_progress)}
    assert made.pop("other") is None
    assert set(made) == {"bad", "child", "grandchild"}
    assert set(made.values()) == {Failure(kind=kind, text=text)}
    assert sums(tmp_path) == {"other": 5}


def test_a_need_that_nobody_makes_is_named(tmp_path: Path):
    (made,) = LocalExecutor().make([piece("a", 1, ("made/lost",))], tmp_path, no_progress)
    assert "made/lost is missing; it is needed for 'a'" in made.failure.text


def test_a_failure_is_an_error_of_its_own_kind():
    assert isinstance(Failure.from_error(ForgetError("x")).error(), ForgetError)
    stranger = Failure.from_error(ZeroDivisionError("x")).error()
    assert (type(stranger), str(stranger)) == (MMRecUnError, "ZeroDivisionError: x")


def test_whoever_comes_second_to_a_name_has_made_it_too(tmp_path: Path):
    """The folder appears while another makes it: what is there stays, and nothing has failed."""

    def sooner(done: int, total: int, note: str) -> None:
        place = tmp_path / "made" / "a"
        place.mkdir()
        (place / "sum").write_text("1")

    assert perform(piece("a", 1), tmp_path, sooner) is None
    assert sums(tmp_path) == {"a": 1}
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a"]


def test_progress_counts_pieces(tmp_path: Path):
    seen: list[tuple[int, int, str]] = []
    list(LocalExecutor().make([piece("a"), piece("b")], tmp_path, lambda *found: seen.append(found)))
    assert seen == [(0, 2, "a"), (0, 2, "a  1/2"), (1, 2, "b"), (1, 2, "b  1/2"), (2, 2, "")]


def test_where_pieces_are_made_is_read_strictly():
    assert [head_of(on) for on in ("here", "ray", "ray:10.0.0.1:6379")] == [None, None, "10.0.0.1:6379"]
    for wrong in ("rya", "ray:", "ray:host", "ray:host:", "ray::6379", "there:host:6379"):
        with pytest.raises(MMRecUnError, match="write here, ray or ray:HOST:PORT"):
            head_of(wrong)
    with pytest.raises(MMRecUnError, match="--gpus is for a cluster"), chosen_executor(gpus=0.5):
        pass
