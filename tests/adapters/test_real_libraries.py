"""The adapters against the libraries themselves, in `make test-adapters`; skipped where a library is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from mmrecun import ForgetRequest
from mmrecun.adapters import cornac, implicit, recbole
from mmrecun.errors import ArtifactError

REQUEST = ForgetRequest(users=["user-3"], items=["item-8"])
EXAMPLES = Path(__file__).parents[2] / "examples"
RECBOLE = os.environ.get("MMRECUN_RECBOLE_PYTHON", "")


def matrix(part, like):
    """The training pairs of `part` by the rows of `like`, float32, as implicit takes it."""
    users = like.users.rows(part.users.names)[part.train.users]
    items = like.items.rows(part.items.names)[part.train.items]
    weights = part.train.attributes["weight"].to_numpy().astype(np.float32)
    return sp.csr_matrix((weights, (users, items)), shape=(len(like.users), len(like.items)))


def test_implicit_als_goes_on_to_what_implicit_itself_comes_to(dataset, tmp_path):
    """Iterated out, the scores are those of implicit, fitted on the retained pairs from the same factors."""
    als = pytest.importorskip("implicit.als", reason="implicit is not installed")
    settings = {"factors": 4, "regularization": 0.5, "alpha": 2.0, "use_cg": False, "use_native": False}
    model = als.AlternatingLeastSquares(**settings, dtype=np.float64, random_state=1, iterations=20)
    model.fit(matrix(dataset, dataset), show_progress=False)
    model.save(str(tmp_path / "als.npz"))
    mine = implicit.load(tmp_path / "als.npz", dataset)
    less = mine.unlearn(ForgetRequest(users=["user-3"]), settings={"sweeps": 3000, "tolerance": 1e-10})
    again = als.AlternatingLeastSquares(**settings, dtype=np.float64, iterations=3000)
    again.user_factors, again.item_factors = model.user_factors.copy(), model.item_factors.copy()
    again.fit(matrix(less.dataset, dataset), show_progress=False)
    kept = dataset.users.rows(less.dataset.users.names)
    scores = less.model.users.weight.detach().double() @ less.model.items.weight.detach().double().T
    np.testing.assert_allclose(scores, again.user_factors[kept] @ again.item_factors.T, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("als", "AlternatingLeastSquares"),
        ("bpr", "BayesianPersonalizedRanking"),
        ("cpu.lmf", "LogisticMatrixFactorization"),
    ],
)
def test_implicit_loads_what_was_written(dataset, tmp_path, module, name):
    cls = getattr(pytest.importorskip(f"implicit.{module}", reason="implicit is not installed"), name)
    model = cls(factors=6, random_state=1, num_threads=1, iterations=150)
    pairs = matrix(dataset, dataset)
    model.fit(pairs, show_progress=False)
    less = implicit.load(model, dataset).unlearn(REQUEST, settings={"min_cosine": -1} if module == "bpr" else None)
    less.save(tmp_path / "less.npz")
    loaded = type(model).load(str(tmp_path / "less.npz"))
    ids, scores = loaded.recommend(4, pairs[4], N=5)
    ours = loaded.user_factors[4] @ loaded.item_factors[ids].T
    np.testing.assert_allclose(scores, ours, rtol=1e-5)
    assert loaded.user_factors.shape == model.user_factors.shape
    if module != "als":
        assert 8 not in loaded.recommend(4, pairs[4], N=30)[0]


@pytest.mark.parametrize("kind", ["BPR", "MF"])
def test_cornac_knows_the_forgotten_no_more(dataset, kind):
    library = pytest.importorskip("cornac", reason="Cornac is not installed")
    train = dataset.train
    stars = train.attributes["weight"].to_list()
    names = dataset.users.names.gather(train.users), dataset.items.names.gather(train.items)
    model = getattr(library.models, kind)(k=6, max_iter=200, learning_rate=0.05, seed=1)
    model.fit(library.data.Dataset.from_uir(list(zip(*names, stars, strict=True))))
    mine = cornac.load(model)
    less = mine.unlearn(REQUEST, settings={} if kind == "MF" else {"min_cosine": -1})
    new = cornac.model_of(less)
    assert type(new) is type(model)
    assert "user-3" in model.uid_map
    assert "user-3" not in new.uid_map
    assert new.train_set is None
    row = model.uid_map["user-5"]
    scores = new.score(row)
    ours = mine.model.vectors(None)
    before = (ours.users[row] @ ours.items.T).detach().numpy() + (model.global_mean if kind == "MF" else 0)
    np.testing.assert_allclose(model.score(row), before, atol=1e-5)
    assert scores.argmin() == model.iid_map["item-8"]
    with pytest.raises(ArtifactError, match="pickles"):
        less.save("model.pkl")


@pytest.mark.skipif(not RECBOLE, reason="MMRECUN_RECBOLE_PYTHON does not name a Python with RecBole")
@pytest.mark.parametrize("kind", ["BPR", "LightGCN"])
def test_recbole_loads_what_was_written(dataset, tmp_path, kind):
    sys.path.insert(0, str(EXAMPLES))
    import recbole_checkpoints as example

    example.write(dataset, tmp_path / "whole")
    told = example.train(kind, tmp_path / "whole", 1, 20)
    mine = recbole.load(told["file"], dataset, told["user"], told["item"], layers=example.LAYERS[kind])
    less = mine.unlearn(REQUEST, settings={"min_cosine": -1})
    less.save(tmp_path / "less.pth")
    script = (
        "import json, sys, torch; from recbole.quick_start import load_data_and_model\n"
        "config, model, *_ = load_data_and_model(sys.argv[1])\n"
        "users = model.user_embedding.weight.detach()\n"
        "print(json.dumps([type(model).__name__, users.tolist()]))"
    )
    code = script.replace("import json", "import functools, json").replace(
        "from recbole", "torch.load = functools.partial(torch.load, weights_only=False); from recbole"
    )
    done = subprocess.run(
        [RECBOLE, "-c", code, str(tmp_path / "less.pth")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    name, users = json.loads(done.stdout.splitlines()[-1])
    assert name == kind
    assert not np.any(users[told["user"].index("user-3")])
    row = np.array(users[told["user"].index("user-5")], dtype=np.float32)
    np.testing.assert_allclose(row, less.model.users.weight[less.dataset.users.find(["user-5"])[0]].detach())
