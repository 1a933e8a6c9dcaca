"""Classes by name: this package's, and those that other installed packages register."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmrecun import jobs, load, registry
from mmrecun.errors import ConfigError
from mmrecun.models.base import Recommender
from mmrecun.models.registry import MODELS, REGISTRY, model_class, model_name
from mmrecun.unlearning.base import Unlearner
from mmrecun.unlearning.registry import METHODS, method_class
from tests.conftest import TRAINING

CODE = '''
from mmrecun.models.bprmf import BPRMF
from mmrecun.unlearning.unlink import Unlink


class Plain(BPRMF):
    """Two tables of another package.

    And more about them.
    """


class Forget(Unlink):
    """Leave out the rows of what leaves."""


class NoModel:
    """Derived from nothing."""
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put packages with entry points where Python finds installed ones."""

    def put(package: str, group: str, entry: str, code: str = CODE) -> None:
        module = package.replace("-", "_")
        folder = tmp_path / package
        (folder / f"{module}-1.0.dist-info").mkdir(parents=True)
        (folder / f"{module}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        (folder / f"{module}-1.0.dist-info" / "entry_points.txt").write_text(f"[mmrecun.{group}]\n{entry}\n")
        (folder / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)
        registry.installed.cache_clear()

    yield put
    registry.installed.cache_clear()


def test_every_name_is_a_class_of_its_kind():
    assert [model_name(model_class(name).__new__(model_class(name))) for name in MODELS] == list(MODELS)
    assert all(issubclass(model_class(name), Recommender) for name in MODELS)
    assert all(issubclass(method_class(name), Unlearner) for name in METHODS)


def test_every_class_says_what_it_is():
    assert all(model_class(name).summary and model_class(name).source for name in MODELS)
    assert all(method_class(name).summary for name in METHODS)
    without = {name for name in METHODS if not method_class(name).source}
    assert without == {"retrain", "reset", "finetune", "ascent"}


def test_a_model_and_a_method_of_another_package_are_used_by_name(
    install, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install("their-model", "models", "plain = their_model:Plain")
    install("their-method", "methods", "theirs = their_method:Forget")
    assert REGISTRY.names() == [*MODELS, "plain"]
    jobs.train(data_folder, "plain", tmp_path / "run", {**TRAINING, "epochs": 1})
    assert type(load(tmp_path / "run").model).__module__ == "their_model"
    made = jobs.unlearn(tmp_path / "run", {"users": ["u00001"]}, tmp_path / "after", "theirs")
    assert (made.model, made.method) == ("plain", "theirs")
    assert load(tmp_path / "after").manifest.method == "theirs"
    described = jobs.list_models()[-1]
    assert (described.name, described.summary, described.source) == ("plain", "Two tables of another package", "")
    assert (described.package, described.error) == ("their-model", "")


def test_a_class_may_be_registered_where_it_is_only_imported(install):
    install("inner", "models", "unused = inner:Plain")
    install("outer", "models", "shown = outer:Plain", "from inner import Plain\n")
    registry.installed.cache_clear()
    cls = model_class("shown")
    assert cls.__module__ == "inner"
    assert REGISTRY.name_of(cls) in {"shown", "unused"}


@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        ("odd = broken:Plain", "import nothing_of_this_name\n", "broken cannot be imported from 'broken:Plain' .Mod"),
        (
            "odd = broken:Plain",
            "raise RuntimeError('no\\ncard')\n",
            "cannot be imported from .* .RuntimeError: no.; repair",
        ),
        ("odd = broken:Missing", CODE, "cannot be imported from 'broken:Missing' .AttributeError"),
        ("odd = broken:NoModel", CODE, "model 'odd' of the package broken is not .* derived from mmrecun.models.base"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_stops_nothing_else(install, entry: str, code: str, message: str):
    install("broken", "models", entry, code)
    with pytest.raises(ConfigError, match=message) as caught:
        model_class("odd")
    assert "\n" not in str(caught.value)
    assert model_class("bprmf").__name__ == "BPRMF"
    assert [one.error for one in jobs.list_models()] == [""] * len(MODELS) + [str(caught.value)]
    with pytest.raises(ConfigError, match=r"not registered as a model"):
        REGISTRY.name_of(Recommender)


def test_a_name_that_two_packages_use_is_refused(install):
    install("their-model", "models", "mgcn = their_model:Plain")
    with pytest.raises(ConfigError, match="model 'mgcn' is registered more than once, by mmrecun and by their-model"):
        model_class("mgcn")
    assert model_class("bprmf").__name__ == "BPRMF"
    install("first", "methods", "theirs = first:Forget")
    install("second", "methods", "theirs = second:Forget")
    with pytest.raises(ConfigError, match=r"by (first and by second|second and by first); uninstall"):
        method_class("theirs")


def test_names_of_other_packages_are_known_in_errors(install):
    install("their-model", "models", "plain = their_model:Plain")
    with pytest.raises(ConfigError, match="unknown model 'plian'; did you mean 'plain'"):
        model_class("plian")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "data", "--out", "x", "--model", "lightgnc"), "did you mean 'lightgcn'"),
        (("plan", "data", "--model", "lightgnc"), "did you mean 'lightgcn'"),
        (("unlearn", "run", "--method", "retrian"), "did you mean 'retrain'"),
        (("bench", "quikc", "--out", "x"), "did you mean 'quick'"),
        (("train", "--help"), "bm3, bprmf, freedom, lightgcn, mgcn or vbpr"),
    ],
)
def test_names_are_told_without_torch(arguments: tuple[str, ...], message: str):
    code = (
        "import sys\nfrom mmrecun.cli import main\n"
        f"sys.argv = ['mmrecun', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert message in done.stdout + done.stderr
    assert done.stdout.endswith("False\n")
