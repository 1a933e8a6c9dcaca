"""Who may import whom, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmrecun

ROOT = Path(mmrecun.__file__).parent
GROUND = {
    "errors",
    "text",
    "settings",
    "rng",
    "arrays",
    "atomic",
    "claims",
    "topk",
    "progress",
    "device",
    "cuda_graph",
    "extras",
    "forks",
    "keys",
    "registry",
    "settings_help",
}
# One main line: each room may import those before it.
MAIN_LINE = (
    "data",
    "encoders",
    "forget",
    "evaluation",
    "models",
    "training",
    "manifest",
    "runs",
    "unlearning",
    "auditing",
    "report",
    "exports",
    "adapters",
    "chunked",
    "scale",
    "testing",
    "jobs",
    "bench",
    "cli",
    "__main__",
)
MAY_IMPORT = {part: GROUND | set(MAIN_LINE[:place]) for place, part in enumerate(MAIN_LINE)}
ALL_PARTS = GROUND | set(MAY_IMPORT)


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path):
    """Every module that a file imports, at its top or inside a function, by its full name."""
    package = ("mmrecun", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def own_parts(path):
    """The parts of this package that a file imports."""
    names = [name.split(".") for name in imports(path)]
    return {name[1] for name in names if name[0] == "mmrecun" and len(name) > 1 and name[1] in ALL_PARTS}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_its_layer_may(path):
    part = part_of(path)
    assert part in ALL_PARTS, f"'{part}' is in no layer; add it to this test"
    allowed = MAY_IMPORT.get(part, GROUND) | {part}
    assert own_parts(path) <= allowed


def ordered(needs):
    """Whether the parts can be put in a row in which each needs only earlier ones."""
    left = dict(needs)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    return not left


def test_no_circle_is_possible():
    assert ordered(MAY_IMPORT)
    assert ordered({path.stem: own_parts(path) for path in ROOT.glob("*.py") if path.stem in GROUND})


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.name)
def test_the_command_line_works_with_no_arrays(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"torch", "numpy", "polars", "scipy", "matplotlib"}


@pytest.mark.parametrize("module", ["mmrecun", "mmrecun.cli"])
def test_an_import_loads_nothing_heavy(module):
    heavy = {"torch", "polars", "matplotlib", "scipy", "pydantic"}
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_public_names_are_sorted():
    assert mmrecun.__all__ == sorted(mmrecun.__all__, key=lambda name: (name[0].islower(), name))


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mmrecun.nothing
