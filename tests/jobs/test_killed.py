"""Commands that are killed before one of their writes: the same command then does its work, and nothing else stays.

A process of its own makes the models, and forks for each death: libraries that have begun threads cannot be forked.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DYING = '''
import json, os, shutil, signal, sys, tempfile
from pathlib import Path

import torch
import torch._dynamo  # Adam loads it, which takes longer than all else

from mmrecun import jobs
from mmrecun.data import files
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

torch.set_num_threads(1)
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
root = Path(sys.argv[2])
data, run, out = root / "data", root / "run", root / "out"


def make_data(place):
    files.save(make(SyntheticConfig(users=30, items=20, interactions=300, groups=3), Seed(0))[0], place)


def train(place):
    jobs.train(data, "bprmf", place, {"epochs": 1, "dim": 4})


def unlearn(place):
    jobs.unlearn(run, {"users": ["u00003"]}, place, "unlink", key=b"a key that is long enough to be one")


def export(place):
    jobs.export(run, "npy", place)


def audit(place):
    jobs.audit(place)


def prepare():
    """Put the run that is audited in its place."""
    if sys.argv[1] == "audit":
        shutil.copytree(root / "after", out)


def finished():
    if sys.argv[1] == "audit":
        return not unfinished() and (out / "audit.json").exists() and bool(json.loads((out / "audit.json").read_text()))
    return out.exists()


def unfinished():
    return [path.name for path in out.rglob(".*")] if sys.argv[1] == "audit" else []


def die_before(write, seen):
    """Count the system's calls that change something in the output, and die before one of them."""

    def watch(event, given):
        if event not in EVENTS or (event == "open" and not (given[2] or 0) & WRITING):
            return
        name = os.fsdecode(given[0]) if isinstance(given[0], (str, bytes, os.PathLike)) else ""
        if event == "os.rmdir" or any(part == "out" or ".out." in part for part in Path(name).parts):
            seen[0] += 1
            if seen[0] == write:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def forked(work, write=0):
    """Return how a child ended that does `work` and dies before that write, and how many writes it made."""
    counter, seen = tempfile.TemporaryFile(), [0]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if write >= 0:
                die_before(write, seen)
            work()
            counter.write(b"%d" % seen[0])
            counter.flush()
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    counter.seek(0)
    return status, int(counter.read() or 0)


KEPT = ("data", "run", "after")


def clear():
    for path in root.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    prepare()


assert forked(lambda: make_data(data), -1)[0] == 0
assert forked(lambda: train(run), -1)[0] == 0
if sys.argv[1] == "audit":
    assert forked(lambda: unlearn(root / "after"), -1)[0] == 0
prepare()
work = globals()[sys.argv[1]]
status, writes = forked(lambda: work(out), 0)
assert status == 0
found = {"writes": writes, "tried": 0, "died": 0, "whole": 0, "left": []}
tried = range(1, writes + 1, 1 if sys.argv[1] == "train" else 3)
for write in tried:
    clear()
    found["tried"] += 1
    status, _ = forked(lambda: work(out), write)
    found["died"] += os.WIFSIGNALED(status)
    if not finished():
        status, _ = forked(lambda: work(out), -1)
        assert status == 0, write
        found["left"] += [[write, path.name] for path in root.iterdir() if path.name not in (*KEPT, "out")]
        found["left"] += [[write, name] for name in unfinished()]
    found["whole"] += finished() and any(out.iterdir())
print(json.dumps(found))
'''


@pytest.mark.parametrize("work", ["train", "unlearn", "export", "audit"])
def test_a_killed_command_is_made_good_by_itself(tmp_path: Path, work: str):
    done = subprocess.run(
        [sys.executable, "-c", DYING, work, str(tmp_path)], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["writes"] >= 6
    assert found["died"] == found["whole"] == found["tried"] >= 3
    assert found["left"] == []
