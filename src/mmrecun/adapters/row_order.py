"""Detect a model whose rows are in another order than its data: its training pairs rank no higher than others."""

import numpy as np
import torch

from mmrecun.adapters.foreign import ForeignModel
from mmrecun.errors import DataError
from mmrecun.evaluation.ranking import score_pairs
from mmrecun.models.inference import vectors_of

_PAIRS, _OTHERS = 4000, 10  # training pairs drawn at most, and items that each is compared with
_CHANCE = 0.56  # the models measured have 0.7 or more; the same rows in another order 0.49 to 0.53


def in_order(mine: ForeignModel, users: object, items: object) -> ForeignModel:
    """Return a model whose rows belong to the ids of its data, as far as its own training pairs show.

    Training pairs are compared with items of the same user drawn by popularity, so that the rows of users matter, too.

    Args:
        mine: a model as it was read.
        users, items: the given ids of its rows; None where the order of the data was assumed.

    Raises:
        DataError: when training pairs rank no higher than others, two standard errors included.
    """
    known, pairs = training_auc(mine)
    if known + 1 / np.sqrt(max(pairs, 1)) >= _CHANCE:  # the error of a share is at most 0.5 / sqrt(pairs)
        return mine
    wanting = [kind for kind, ids in (("users", users), ("items", items)) if ids is None]
    named = " ".join(f"--reading {kind}=F" for kind in wanting)
    advice = (
        f"give the ids of the {' and '.join(wanting)} in the order of its rows, as lists or files ({named})"
        if wanting
        else "check their order"
    )
    raise DataError(
        f"the model of {mine.artifact.name} ranks its training pairs no higher than others (AUC {known:.2f}): its rows "
        f"are in another order than the ids, or it was trained on other pairs or hardly at all; {advice}"
    )


def training_auc(mine: ForeignModel) -> tuple[float, int]:
    """Compute the share of items without a pair that score below a training pair of their user; equal scores are half.

    Returns:
        The AUC over a fixed sample of training pairs, 1.0 where there is nothing to compare, and the pairs compared.
    """
    train, drawing = mine.dataset.train, np.random.default_rng(0)
    drawn = drawing.permutation(len(train))[:_PAIRS]
    users, items = train.users[drawn].repeat(_OTHERS), train.items[drawn].repeat(_OTHERS)
    others = train.items[drawing.integers(len(train), size=len(items))]
    has = np.asarray(train.matrix(len(mine.dataset.users), len(mine.dataset.items))[users, others]).ravel() > 0
    if has.all():
        return 1.0, 0
    users, items, others = users[~has], items[~has], others[~has]
    vectors = vectors_of(mine.model, mine.dataset)
    with torch.no_grad():
        ahead = score_pairs(vectors.users, vectors.items, users, items) - score_pairs(
            vectors.users, vectors.items, users, others
        )
    return float((ahead > 0).double().mean() + (ahead == 0).double().mean() / 2), len(drawn)
