"""Evaluate a run, and recommend items to a user."""

from typing import Any

from mmrecun.arrays import Ints
from mmrecun.data.interactions import Interactions, Split
from mmrecun.device import prepared
from mmrecun.errors import ConfigError, DataError
from mmrecun.evaluation.evaluate import RankingReport, evaluate_split
from mmrecun.evaluation.ranking import checked_length, score_pairs, top_k
from mmrecun.forget.request import ForgetRequest, as_id
from mmrecun.jobs._foreign import opened
from mmrecun.jobs._titles import titles_of
from mmrecun.models.base import UserItemVectors
from mmrecun.models.inference import vectors_of
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike, Run
from mmrecun.text import unknown_name


@prepared()
def evaluate(run: Run | PathLike, split: str = "test", progress: Progress = no_progress) -> RankingReport:
    """Rank all items for every user and measure the lists on one split.

    `progress` is called with the number of ranked users.

    Raises:
        ConfigError: for an unknown split.
    """
    names = {part.label: part for part in Split}
    if split not in names:
        raise ConfigError(unknown_name("split", split, list(names)))
    if names[split] is Split.TRAIN:
        raise ConfigError("training pairs are masked in every list; choose --split valid or --split test")
    asked = opened(run)
    vectors = vectors_of(asked.model, asked.dataset)
    return evaluate_split(vectors.users, vectors.items, asked.dataset, names[split], progress=progress)


@prepared()
def recommend(run: Run | PathLike, user: str | int, k: int = 10) -> list[dict[str, Any]]:
    """Return the k best items for a user, without any the user has, in training or held out.

    Id, title where known, score.

    Raises:
        ConfigError: when k is not positive.
        DataError: for a user who is unknown, or was forgotten.
    """
    asked, name = opened(run), as_id(user)
    data = asked.dataset
    try:
        row = data.users.rows([name])
    except DataError as error:
        from mmrecun.jobs._absent import absent_of, no_list

        raise no_list(absent_of(asked, ForgetRequest(users=(name,))), name, error) from None
    vectors = vectors_of(asked.model, data)
    items, scores = best_items(vectors.sides, data.interactions, row, k)
    titles = titles_of(data, items)
    names = data.items.names.gather(items)
    return [
        {"item": name, "title": title, "score": score} for name, title, score in zip(names, titles, scores, strict=True)
    ]


def best_items(vectors: UserItemVectors, pairs: Interactions, row: Ints, k: int) -> tuple[Ints, list[float]]:
    """Return the k best items for the user in `row` (int64 [1]), and their scores; fewer where the user has the rest.

    Args:
        vectors: float32 [U, D] and [I, D].
        pairs: pairs of the user, whose items are left out.
        row: the user.
        k: length of the list.

    Raises:
        ConfigError: when k is not positive.
    """
    users, items = vectors
    best = top_k(users, items, pairs, row, min(checked_length(k), len(items)))[0]
    best = best[best >= 0]
    return best, score_pairs(users, items, row.repeat(len(best)), best).tolist()
