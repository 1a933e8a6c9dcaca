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

import numpy as np
import torch
import torch._dynamo  # Adam loads it, which takes longer than all else
from scipy.io import wavfile

from mmrecun import jobs
from mmrecun.cli.data import _imported
from mmrecun.data import files
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

torch.set_num_threads(1)
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
root = Path(sys.argv[2])
data, run, out = root / "data", root / "run", root / "out"
SIZES = {"users": 30, "items": 20, "interactions": 300, "groups": 3}


def make_data(place):
    files.save(make(SyntheticConfig(**SIZES), Seed(0))[0], place)
    (root / "sounds").mkdir()
    for row in range(3):
        wavfile.write(root / "sounds" / f"i{row:05d}.wav", 16_000, np.full(800, row, dtype=np.int16))
    pairs = dict.fromkeys(f"u{n % 7},i{n % 5 + n // 35}" for n in range(140))
    (root / "events.csv").write_text("\\n".join(["user,item", *pairs]))


def train(place):
    jobs.train(data, "bprmf", place, {"epochs": 1, "dim": 4})


def unlearn(place):
    jobs.unlearn(run, {"users": ["u00003"]}, place, "unlink", key=b"a key that is long enough to be one")


def export(place):
    jobs.export(run, "npy", place)


def audit(place):
    jobs.audit(place)


def import_(place):
    _imported(root / "events.csv", place, "auto", ImportOptions(), False)


def encode(place):
    jobs.encode(place, "sound", str(root / "sounds"), "log-mel")


CHANGED = {"audit": "after", "encode": "data"}  # work that changes a folder -> what that folder is a copy of
LAST = {"audit": "audit.json", "encode": "features/sound.present.npy"}


def prepare():
    """Put the folder that is changed in its place."""
    if sys.argv[1] in CHANGED:
        shutil.copytree(root / CHANGED[sys.argv[1]], out)


def finished():
    """Say whether the work is done."""
    if sys.argv[1] == "encode" and "[modalities.sound]" not in (out / "dataset.toml").read_text():
        return False
    return not unfinished() and (out / LAST.get(sys.argv[1], "")).exists()


def unfinished():
    return [path.name for path in out.rglob(".*")] if sys.argv[1] in LAST else []


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


def content():
    """Return the names of the files of the output; those of audits are named by the time."""
    return sorted(path.name for path in out.rglob("*") if path.is_file() and path.parent.parent.name != "audits")


KEPT = ("data", "run", "after", "sounds", "events.csv")


def clear():
    for path in root.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    prepare()


assert forked(lambda: make_data(data), -1)[0] == 0
if sys.argv[1] in ("unlearn", "export", "audit"):
    assert forked(lambda: train(run), -1)[0] == 0
if sys.argv[1] == "audit":
    assert forked(lambda: unlearn(root / "after"), -1)[0] == 0
prepare()
work = globals()[sys.argv[1]]
status, writes = forked(lambda: work(out), 0)
assert status == 0
wanted = content()
found = {"writes": writes, "tried": 0, "died": 0, "whole": 0, "left": []}
tried = range(1, writes + 1, {"train": 1, "import_": 1}.get(sys.argv[1], 3))
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
    found["whole"] += finished() and content() == wanted
print(json.dumps(found))
'''


@pytest.mark.parametrize("work", ["train", "unlearn", "export", "audit", "import_", "encode"])
def test_a_killed_command_is_made_good_by_itself(tmp_path: Path, work: str):
    done = subprocess.run(
        [sys.executable, "-c", DYING, work, str(tmp_path)], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["writes"] >= 6
    assert found["died"] == found["whole"] == found["tried"] >= 3
    assert found["left"] == []
