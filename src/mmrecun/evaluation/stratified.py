"""Compare forgotten pairs with equally popular ones: strata of retained degree, and the AUC within them.

Popular pairs rank higher whether or not they were trained on. So two groups of pairs can only be compared fairly if
their users and items have similar degrees in the retained data.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from mmrecun.arrays import Floats, Ints, check_shape
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError

By = Literal["both", "users", "items"]
ITEM_STEP = 64  # numbers of the strata of one item bin start at a multiple of this


def degrees(pairs: Interactions, users: int, items: int) -> tuple[Ints, Ints]:
    """Count the `pairs` of each user, int64 [U], and of each item, int64 [I]."""
    return np.bincount(pairs.users, minlength=users), np.bincount(pairs.items, minlength=items)


def degree_bins(degree: Ints, bins: int) -> Ints:
    """Bin the entries of `degree` (int64 [R]): 0 for degree 0, else 1 to `bins`, each with about as many pairs.

    Equal degrees share a bin.

    >>> degree_bins(np.array([0, 1, 1, 2, 4]), 2).tolist()
    [0, 1, 1, 1, 2]
    """
    values, inverse, counts = np.unique(degree, return_inverse=True, return_counts=True)
    mass = values * counts
    middle = np.cumsum(mass) - mass / 2
    placed = 1 + np.floor(bins * middle / max(mass.sum(), 1)).astype(np.int64)
    found: Ints = np.where(values > 0, placed, 0)[inverse]
    return found


def strata(pairs: Interactions, users_degree: Ints, items_degree: Ints, bins: int = 5, by: By = "both") -> Ints:
    """Assign each pair to a stratum by the retained degrees of its user and its item.

    The bins depend on the degrees alone, so strata of different pairs can be compared.

    Args:
        pairs: N pairs.
        users_degree, items_degree: int64 [U] and [I], retained training pairs of each.
        bins: number of bins of each degree, of equal mass; degree 0 has a further bin.
        by: the side that is matched: "items" if the users have no row any more, "users" if the items have none.

    Returns:
        int64 [N]; the bin of the item times 64, plus that of the user.

    Raises:
        ConfigError: when `bins` is not from 1 to 62.
    """
    if not 1 <= bins < ITEM_STEP - 1:
        raise ConfigError(f"{bins} bins of popularity: choose from 1 to {ITEM_STEP - 2}")
    found = np.zeros(len(pairs), dtype=np.int64)
    if by != "users":
        found += ITEM_STEP * degree_bins(items_degree, bins)[pairs.items]
    if by != "items":
        found += degree_bins(users_degree, bins)[pairs.users]
    return found


def nearest_free(ascending: Ints, targets: Ints) -> Ints:
    """Choose a row for each target: the next free one of its value, or the nearest above; int64, ascending, distinct.

    Where rows run out above, the highest that are free are taken.

    >>> nearest_free(np.array([1, 2, 2, 5]), np.array([2, 2, 3])).tolist()
    [1, 2, 3]
    >>> nearest_free(np.array([1, 2, 2, 5]), np.array([1, 9, 9])).tolist()
    [0, 2, 3]

    Args:
        ascending: values of the rows, such as degrees.
        targets: ascending values to match; at most as many.
    """
    turn = np.arange(len(targets))
    nearest = np.searchsorted(ascending, targets)
    # each target is at least one row behind the one before: nearest - turn must not fall
    apart = np.maximum.accumulate(nearest - turn) + turn
    last = len(ascending) - len(targets) + turn  # the targets behind it need a row each
    found: Ints = np.minimum(apart, last)
    return found


def placements(
    forgotten: Floats, forgotten_strata: Ints, controls: Floats, control_strata: Ints
) -> npt.NDArray[np.float64]:
    """Compute the share of its stratum's controls that each forgotten pair outranks; ties count half.

    A stratum without controls uses those of its item bin, or else all.

    Args:
        forgotten, controls: rank percentiles [N] and [M]; M at least 1.
        forgotten_strata, control_strata: int64 [N] and [M], of `strata`.

    Returns:
        float64 [N].
    """
    check_shape("strata of the forgotten", forgotten_strata, forgotten.shape)
    check_shape("strata of the controls", control_strata, controls.shape)
    shares = np.empty(len(forgotten))
    for stratum in np.unique(forgotten_strata):
        inside = forgotten_strata == stratum
        comparable = np.sort(controls[matched(stratum, control_strata)])
        below, not_above = (np.searchsorted(comparable, forgotten[inside], side) for side in ("left", "right"))
        shares[inside] = (below + not_above) / (2 * len(comparable))
    return shares


def matched(stratum: int, control_strata: Ints) -> Ints:
    """Select the controls of a stratum: its own, else those of its item bin, else all; int64 [m]."""
    for same in (control_strata == stratum, control_strata // ITEM_STEP == stratum // ITEM_STEP):
        if same.any():
            return np.flatnonzero(same)
    return np.arange(len(control_strata))


def stratum_weights(forgotten_strata: Ints, control_strata: Ints) -> npt.NDArray[np.float64]:
    """Weigh each forgotten pair by how well its stratum can be compared (van Elteren 1960).

    A stratum of n forgotten pairs and m controls weighs n m / (n + m), the inverse variance of its AUC. So a thousand
    pairs that share three controls count like three. Strata without controls count only where all are without.

    >>> stratum_weights(np.array([1, 1, 2]), np.array([1, 1, 3])).tolist()
    [0.5, 0.5, 0.0]

    Args:
        forgotten_strata, control_strata: int64 [N] and [M], of `strata`; N at least 1.

    Returns:
        float64 [N], which sums to 1.
    """
    weight = _shares_of_controls(forgotten_strata, control_strata)
    weight = weight if weight.any() else np.ones(len(weight))
    found: npt.NDArray[np.float64] = weight / weight.sum()
    return found


def comparable_pairs(forgotten_strata: Ints, control_strata: Ints) -> float:
    """Sum n m / (n + m) over the strata of n forgotten pairs and m controls; over all where no stratum has both.

    The variance of the AUC within strata, of pairs from one distribution, is one twelfth of the inverse.

    >>> comparable_pairs(np.array([1, 1, 2]), np.array([1, 1, 3])), comparable_pairs(np.array([1]), np.array([2, 2]))
    (1.0, 0.6666666666666666)
    """
    found = float(_shares_of_controls(forgotten_strata, control_strata).sum())
    sizes = len(forgotten_strata), len(control_strata)
    return found or sizes[0] * sizes[1] / sum(sizes)


def _shares_of_controls(forgotten_strata: Ints, control_strata: Ints) -> npt.NDArray[np.float64]:
    """Compute m / (n + m) of the stratum of each forgotten pair; float64 [N]."""
    values, place, counts = np.unique(forgotten_strata, return_inverse=True, return_counts=True)
    controls = np.array([(control_strata == value).sum() for value in values])
    shares: npt.NDArray[np.float64] = (controls / (counts + controls))[place]
    return shares


def stratified_auc(forgotten: Floats, forgotten_strata: Ints, controls: Floats, control_strata: Ints) -> float | None:
    """Compute the chance that a forgotten pair outranks a control of its stratum; ties count half.

    Strata are weighed by `stratum_weights`. None if either group is empty. Arguments as for `placements`.

    >>> stratified_auc(np.array([0.9, 0.2]), np.array([1, 2]), np.array([0.8, 0.1]), np.array([1, 2]))
    1.0
    """
    if not len(forgotten) or not len(controls):
        return None
    weights = stratum_weights(forgotten_strata, control_strata)
    return float(weights @ placements(forgotten, forgotten_strata, controls, control_strata))
