"""The example package, installed into a folder of its own, passes the contracts and is found by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "own_package"
SOURCES = Path(__file__).parents[1] / "src"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    """The environment of a process that finds the package, laid out as an installer does."""
    import tomllib

    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "\n".join(f"{name} = {at}" for name, at in these.items()) for group, these in groups]
    (told / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
    for path in (EXAMPLE / "src").iterdir():
        (folder / path.name).symlink_to(path)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(SOURCES)]), "OMP_NUM_THREADS": "1"}


def run(installed: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=installed, cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_example_passes_the_contracts(installed, tmp_path):
    done = run(installed, tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(EXAMPLE / "tests"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_a_broken_part_fails_its_contract(installed, tmp_path):
    """A contract that nothing can fail proves nothing."""
    (tmp_path / "test_broken.py").write_text(
        "import pytest\n"
        "from mmrecun_example.method import Shrink\n"
        "from mmrecun.testing import UnlearnerContract, dataset, trained\n"
        "class TestBroken(UnlearnerContract):\n"
        "    name = 'shrink'\n"
        "    @pytest.fixture(autouse=True)\n"
        "    def forgetful(self, monkeypatch):\n"
        "        def run(self, task):\n"
        "            task.model.users.weight.data.zero_()\n"
        "            return original(self, task)\n"
        "        original = Shrink.run\n"
        "        monkeypatch.setattr(Shrink, 'run', run)\n"
    )
    words = ("-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull, "-k", "untouched", "test_broken.py")
    done = run(installed, tmp_path, "pytest", *words)
    assert done.returncode == 1
    assert "the_old_one_is_untouched" in done.stdout


def test_the_commands_know_its_names(installed, tmp_path):
    (tmp_path / "baskets.txt").write_text("".join(f"u{n}: i{n % 5}, i{n % 7}, i{n % 3 + 7}, i9\n" for n in range(40)))
    commands = {
        "data import baskets.txt --format baskets --out data": None,
        "train data --model unitmf --out run --set epochs=1 --set dim=4": None,
        "unlearn run --user u3 --method shrink --out less": None,
        "data import baskets.txt --format basket --out x": 2,
    }
    (tmp_path / "one_by_one.py").write_text(
        "import sys\n"
        "from mmrecun.cli import main\n"
        "for command in sys.argv[1:]:\n"
        "    sys.argv = ['mmrecun', *command.split()]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as stop:\n"
        "        print('ended with', stop.code or None)\n"
    )
    done = run(installed, tmp_path, "one_by_one", *commands)
    ends = [line for line in done.stdout.splitlines() if line.startswith("ended with ")]
    assert ends == [f"ended with {code}" for code in commands.values()], done.stderr
    assert "did you mean 'baskets'" in done.stderr
