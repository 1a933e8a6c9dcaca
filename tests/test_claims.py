"""One command at a time makes a folder, and what killed ones left of it goes with the next."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.atomic import replacing, staged_folder
from mmrecun.claims import claimed, is_claimed
from mmrecun.errors import ArtifactError

# Half a folder, and half the state of a training, by a process that never comes to its end.
MAKING = """
import sys, time
from pathlib import Path
from mmrecun.atomic import replacing, staged_folder
from mmrecun.claims import claimed
target = Path(sys.argv[1])
state = target.with_name(f".{target.name}.resume.safetensors")
with claimed(target), staged_folder(target) as staging, replacing(state) as state:
    (staging / "who").write_text("anna")
    state.write_text("anna")
    print("begun", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_making(target: Path):
    with subprocess.Popen(
        [sys.executable, "-c", MAKING, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as maker:
        try:
            assert maker.stdout.readline() == b"begun\n"
            yield maker
        finally:
            maker.kill()


def test_a_second_process_is_refused_at_once_and_harms_nothing(tmp_path):
    target = tmp_path / "run"
    with another_process_making(target):
        before = sorted(path.name for path in tmp_path.rglob("*"))
        assert is_claimed(target)
        with pytest.raises(ArtifactError, match=r"another command is making .*run now"), claimed(target):
            pytest.fail("claimed twice")
        assert sorted(path.name for path in tmp_path.rglob("*")) == before
        with claimed(tmp_path / "other"):  # another folder is another matter
            pass


def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    target = tmp_path / "run"
    with another_process_making(target) as maker:
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait()
        assert len(list(tmp_path.iterdir())) == 3  # the lock, half a folder, half a state
        assert not is_claimed(target)
        with claimed(target), staged_folder(target) as staging:
            (staging / "b").touch()
            assert is_claimed(target)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@settings(max_examples=30, deadline=None)
@given(
    name=st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
        lambda text: text not in (".", "..")
    ),
    other=st.text(st.sampled_from("run.*[]a"), min_size=1, max_size=5).filter(lambda text: text not in (".", "..")),
)
def test_only_what_belongs_to_the_folder_goes(tmp_path_factory, name: str, other: str):
    """Whatever signs its name has, and however like the names beside it are."""
    folder = tmp_path_factory.mktemp("runs")
    left = f".{name}.{'0f' * 8}.partial"
    (folder / left).mkdir()
    kept = {f".{name}.resume.safetensors", f".{name}.{'0f' * 7}.partial", f"{name}x.{'0f' * 8}.partial", "x"}
    kept |= {f".{other}.{'0f' * 8}.partial"} if other != name else set()
    for each in kept - {left}:
        (folder / each).touch()
    with claimed(folder / name):
        assert is_claimed(folder / name)
    assert {path.name for path in folder.iterdir()} == kept - {left}


def test_a_state_that_can_be_resumed_stays(tmp_path):
    target = tmp_path / "run"
    state = target.with_name(".run.resume.safetensors")
    with replacing(state) as staging:
        staging.touch()
    with claimed(target):
        assert state.exists()


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("manifest", ["manifest.json", "mapped.json"])
def test_the_state_of_a_training_whose_run_is_whole_goes(tmp_path, manifest: str, within: bool):
    """It was killed between the two; only commands beside it, or that own its folder, can still remove it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / manifest).touch()
    (tmp_path / ".run.resume.safetensors").touch()
    (tmp_path / ".run.training").mkdir()
    (tmp_path / ".other.resume.safetensors").touch()
    with claimed(tmp_path / "run"), claimed(tmp_path / "next"):  # the training is at its end
        assert (tmp_path / ".run.training").exists()
    other = {"target": tmp_path / "next"}
    if within:
        other = {"target": tmp_path / "bench" / "rows", "within": [tmp_path, tmp_path / "missing"]}
    with claimed(**other):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"run", ".other.resume.safetensors"}


def test_what_is_half_written_within_goes_unless_it_is_claimed(tmp_path):
    inside = tmp_path / "bench"
    (inside / "rows").mkdir(parents=True)
    with claimed(inside / "rows" / "b"):
        for name in ("a", "b"):
            (inside / "rows" / f".{name}.{'0f' * 8}.partial").touch()
        with claimed(inside / "rows", within=[inside / "rows", inside / "absent"]):
            assert [path.name[:2] for path in (inside / "rows").glob("*.partial")] == [".b"]


def test_a_short_claim_waits_for_its_turn(tmp_path):
    target, code = tmp_path / "audits", MAKING.replace("sys.stdin.read()", "sys.stdin.readline()")
    with subprocess.Popen([sys.executable, "-c", code, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdout.readline() == b"begun\n"
        maker.stdin.write(b"end\n")
        maker.stdin.flush()
        with claimed(target, wait=True):
            assert (target / "who").read_text() == "anna"
        assert maker.wait() == 0


def test_folders_made_on_the_way_go_when_nothing_comes_of_it(tmp_path):
    with pytest.raises(RuntimeError), claimed(tmp_path / "a" / "b" / "run"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with claimed(tmp_path / "a" / "b" / "run"), staged_folder(tmp_path / "a" / "b" / "run"):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "run"]


def test_where_there_are_no_locks_nothing_is_kept_away_or_removed(tmp_path, monkeypatch):
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("mmrecun.claims.fcntl.flock", no_locks)
    left = tmp_path / f".run.{'0f' * 8}.partial"
    left.mkdir()
    with claimed(tmp_path / "run"), claimed(tmp_path / "run"):
        assert not is_claimed(tmp_path / "run")
    assert list(tmp_path.iterdir()) == [left]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match=r"cannot write .*Not a directory"), claimed(tmp_path / "file" / "run"):
        pass
