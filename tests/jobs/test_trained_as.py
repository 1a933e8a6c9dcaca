"""Requests to runs of plain vectors, which a method has made of a model that was trained."""

from pathlib import Path

import pytest

from mmrecun import jobs, runs
from mmrecun.errors import ForgetError

FIRST, SECOND = {"users": ["u00003"]}, {"users": ["u00007"]}
TRAINING_ANEW = {"retrain": {}, "sisa": {"shards": 2}, "receraser": {"shards": 2, "pretraining": 2, "aggregation": 2}}


@pytest.fixture(scope="module")
def vectors(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have a run whose model is the vectors of an MGCN."""
    out = tmp_path_factory.mktemp("vectors") / "first"
    assert jobs.unlearn(run_folder, FIRST, out, "cova").model == "bprmf"
    return out


@pytest.mark.parametrize("method", TRAINING_ANEW)
def test_what_was_trained_is_trained_anew(vectors: Path, run_folder: Path, tmp_path: Path, method: str):
    """The data are the same after both requests as after one for both, and so are the bits."""
    settings = TRAINING_ANEW[method]
    jobs.unlearn(vectors, SECOND, tmp_path / "second", method, settings, seed=4)
    jobs.unlearn(run_folder, FIRST, tmp_path / "between", "unlink")
    direct = jobs.unlearn(tmp_path / "between", SECOND, tmp_path / "direct", method, settings, seed=4)
    made = runs.read_manifest(tmp_path / "second")
    assert (made.model, made.settings) == (direct.model, direct.settings)
    assert runs.weights_digest(tmp_path / "second") == runs.weights_digest(tmp_path / "direct")
    assert made.trained_as == direct.trained_as
    assert (made.trained_as is None) == (method == "retrain")


def test_the_trained_model_is_known_through_several_requests(vectors: Path, run_folder: Path, tmp_path: Path):
    original = runs.read_manifest(run_folder)
    jobs.unlearn(vectors, SECOND, tmp_path / "second", "gsgcf", {"epochs": 1})
    jobs.unlearn(tmp_path / "second", {"users": ["u00009"]}, tmp_path / "third", "unlink")
    for place in (vectors, tmp_path / "second", tmp_path / "third"):
        known = runs.read_manifest(place).trained_as
        assert known is not None
        assert (known.model, known.settings) == (original.model, original.settings)


def test_a_modality_is_not_left_in_vectors_that_were_learned_from_it(vectors: Path, tmp_path: Path):
    request = {"modalities": {"image": None}}
    with pytest.raises(ForgetError, match=r"plain vectors of a 'mgcn', which has read 'image'.*'method' retrain"):
        jobs.unlearn(vectors, request, tmp_path / "out", "unlink")
    with pytest.raises(ForgetError, match="plain vectors"):
        jobs.scope(vectors, request, method="mmrecun")
    assert not any("does not read" in line for line in jobs.warnings(vectors, request))
    made = jobs.unlearn(vectors, request, tmp_path / "out", "retrain")
    assert made.model == "mgcn"
    assert set(runs.load(tmp_path / "out").model.modalities()) == {"audio"}
