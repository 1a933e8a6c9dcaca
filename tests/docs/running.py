"""Run the blocks of a page one after another, in one folder and with one namespace, as a reader does."""

import json
import shlex
import shutil
import subprocess
import tomllib

from typer.main import get_command

from mmrecun.cli.main import app
from tests.docs.blocks import Block, commands
from tests.docs.prepared import SIZES


def run(blocks: list[Block], names: dict) -> None:
    """Run what can be run; `names` is the namespace of Python, which the blocks share."""
    for block in blocks:
        if not block.skip:
            RUNNERS[block.language](block, names)


def _python(block: Block, names: dict) -> None:
    # lines before it keep the numbers of the page in a traceback
    exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)


def _shell(block: Block, names: dict) -> None:
    del names
    for words in commands(block.text):
        if words[:3] == ["mmrecun", "data", "import"] and "--out" in words:  # ways to the same end share a folder
            shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
        if words[:3] == ["mmrecun", "data", "make"]:
            words += [word for name, size in SIZES.items() for word in ("--set", f"{name}={size}")]
        if words[0] == "mmrecun":  # in this process, which has loaded everything
            said = get_command(app).main(words[1:], prog_name="mmrecun", standalone_mode=False)
            assert said in {None, 0}, words
        else:
            subprocess.run(["bash", "-euc", shlex.join(words).replace("'>'", ">")], check=True, timeout=60)


RUNNERS = {
    "python": _python,
    "py": _python,
    "sh": _shell,
    "toml": lambda block, names: names.setdefault("toml", []).append(tomllib.loads(block.text)),
    "json": lambda block, names: json.loads(block.text),
    "text": lambda block, names: None,
}
