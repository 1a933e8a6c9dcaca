"""The first Gauss-Newton step, with other noise in the rows where that costs no validation recall.

A training on the retained pairs would have drawn other negatives. If all rows keep the noise of theirs, everybody's
lists stay much as they were, and the items that lose places stand out.
"""

from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.retained_balance import WELL_EXPLAINED
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard

_REDRAWN = 0.25  # largest share of the square of a row's rest that is exchanged with another row
_REDRAWN_GROWTH = 5.0  # growth of that share with the cosine, above `WELL_EXPLAINED`
_BEARABLE = 0.65  # of the trained recall, with other noise and no step: BPR-MF on four datasets, which other noise
# harms after a step too, keeps 0.38 to 0.58; on Baby and Steam 0.84 to 1.13
_BETTER = 1.03  # times the recall without it, at which noise is renewed: 1.04 to 1.19 on Baby and TikTok, 0.99 to 1.02
# on Steam


def first_step(solver: BalanceSolver, guard: ValidationGuard, cg_steps: int, other_noise: bool) -> float:
    """Take the first step; return the root mean square of the rows' imbalance before it.

    Args:
        solver: at the trained rows.
        guard: measures validation recall.
        cg_steps: conjugate gradient steps at most.
        other_noise: whether to try other noise.
    """
    if not other_noise or guard.trained is None:
        return solver.newton_step(cg_steps)
    if solver.averages:
        return _with_rest_of_other_rows(solver, guard, cg_steps)
    return _with_renewed_noise(solver, guard, guard.trained, cg_steps)


def _with_rest_of_other_rows(solver: BalanceSolver, guard: ValidationGuard, cg_steps: int) -> float:
    """Exchange a part of the rests of rows, unless that costs recall."""
    share = redrawn_share(solver.cosine)
    if share:
        solver.redraw_rest(share)
    missing = solver.newton_step(cg_steps)
    if share and not guard.keeps_recall(solver.model):
        solver.resume()
        missing = solver.newton_step(cg_steps)
    return missing


def _with_renewed_noise(solver: BalanceSolver, guard: ValidationGuard, trained: float, cg_steps: int) -> float:
    """Renew the noise of all rows, if recall is clearly higher with it."""
    missing = solver.newton_step(cg_steps)
    solver.check_finite()
    own = solver.state()
    solver.resume()
    solver.renew_noise()
    other = solver.state()
    with solver.moved_by_noise() as model:
        bearable = guard.score(model) >= _BEARABLE * trained
    solver.resume(own)
    if not bearable:
        return missing
    recall = guard.score(solver.model)
    solver.resume(other)
    renewed = solver.newton_step(cg_steps)
    if guard.score(solver.model) >= _BETTER * recall:
        return renewed
    solver.resume(own)
    return missing


def redrawn_share(cosine: float) -> float:
    """Return the share of the square of each row's rest to exchange, from 0 to a quarter.

    Exchanged where pairs explain rows less, it would cost recall: what is left of them is more than noise.

    Args:
        cosine: the mean one between rows and what their pairs taught them.

    >>> [round(redrawn_share(cosine), 3) for cosine in (0.7, 0.83, 0.87)]
    [0.0, 0.15, 0.25]
    """
    return min(max(_REDRAWN_GROWTH * (cosine - WELL_EXPLAINED), 0.0), _REDRAWN)
