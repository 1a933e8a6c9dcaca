"""The figures that are measured of a run, and their gaps to Gold."""

from enum import StrEnum

from mmrecun.auditing.keys import Kind, MarkKind, ProbeKey
from mmrecun.settings import Settings


class RunKind(StrEnum):
    """The part that a run has in an audit."""

    ORIGINAL = "original"
    UNLEARNED = "unlearned"
    GOLD = "gold"


class Recognition(Settings):
    """Recognition of one kind of forgotten pairs against held-out pairs of the same owners.

    Attributes:
        pairs, held_out: how many were compared.
        comparable: n m / (n + m) of n forgotten and m held-out pairs, summed over strata; None in older reports.
        place: mean rank percentile of the forgotten pairs; for removed users and items this is fold-in from all their
            other pairs.
        auc, auc_error: matched AUC of forgotten against held-out pairs, 0.5 in Gold; its standard error.
        known_auc, known_auc_error: the same for pairs that the model was trained on and may keep.
        known_share, known_share_low, known_share_high: share of the forgotten pairs that look known; its 95 % band.
        attack_auc: AUC of a classifier that was trained on other owners' labelled pairs; None for too few pairs.
        attack_level: the same without the model, from what the retained pairs show of users and items.
        attack_auc_error: standard error of attack_auc - attack_level.
        reference_auc: as `auc`, by vectors of the retained pairs alone; None where the check is open without it.
    """

    pairs: int
    held_out: int
    comparable: float | None = None
    place: float
    auc: float
    auc_error: float
    known_auc: float
    known_auc_error: float = 0.0
    known_share: float
    known_share_low: float
    known_share_high: float
    attack_auc: float | None = None
    attack_auc_error: float | None = None
    attack_level: float | None = None
    reference_auc: float | None = None


class Mark(Settings):
    """Recognition of affected rows, or items in lists, against unaffected ones of the same degree.

    Attributes:
        rows, others: how many touched and other ones were compared.
        auc: AUC of a classifier for rows, of gained places for lists.
        level: AUC from the retained pairs alone, without any model; 0.5 for lists.
        auc_error: standard error of auc - level.
    """

    rows: int
    others: int
    auc: float
    auc_error: float
    level: float = 0.5


class Bystanders(Settings):
    """The lists of the users least related to the request, before and after.

    Attributes:
        users: how many.
        overlap: mean overlap of their lists of twenty, before and after.
        share_before, share_after: share of the places in those lists that touched items hold.
        gain, gain_error: share of all places gained by items in proportion to what they lost, beyond chance among items
            of equal degree; the standard deviation of that chance.
        recall_before, recall_after: retained recall@20; None where none of them has a test pair.
    """

    users: int
    overlap: float
    share_before: float
    share_after: float
    gain: float
    gain_error: float
    recall_before: float | None = None
    recall_after: float | None = None


class Persons(Settings):
    """Each user's retained recall@20 against the Golds'.

    Attributes:
        users: how many have a test pair.
        below, above: shares of them below and above the range of all Golds.
        gaps: histogram of recall minus the Golds' mean, as shares; 21 equal bins, the middle one around 0.
    """

    users: int
    below: float
    above: float
    gaps: tuple[float, ...]


class Harm(Settings):
    """Change of retained recall@20 of the users nearest to what was forgotten.

    Attributes:
        users: how many.
        mean, p1, p5: mean, first and fifth percentile of the change.
    """

    users: int
    mean: float
    p1: float
    p5: float


class Measurements(Settings):
    """Measurements of one run; None if a figure does not exist.

    Attributes:
        name: the part of the run in this audit.
        run: name of its folder.
        seed: random seed of its training or unlearning.
        seconds: from the request to a model that can be served; of the original, from the data.
        retain: metrics on the retained test pairs, such as `recall@20`.
        forget: metrics with the forgotten pairs as ground truth and retained positives masked.
        affected: retain metrics of the retained users with a forgotten pair.
        unaffected: retain metrics of all other users.
        auc: AUC of the rank percentiles of forgotten pairs against held-out positives; 0.5 means alike.
        auc_random: forgotten pairs against random unseen pairs of the same users.
        auc_matched, auc_matched_error: as `auc`, among pairs of equal popularity; its standard error.
        percentiles: histogram of the forgotten pairs' rank percentiles, 20 equal bins from 0 to 1, shares.
        percentiles_held_out: the same of the held-out positives.
        exposure: of removed items, as newcomers and before any filter: `top20` is the share of users with one in
            their list, `percentile` their mean rank percentile.
        groups: retained recall@20 of active and other users, of popular and other items, and the gaps between them.
        probes: further figures; `fold_in` where rows were removed, the slower ones on request.
        unassessed: probe that was requested -> why it has no figure.
        valid: recall@20 on the retained validation pairs, None without any.
        recognition: kind of what was forgotten -> how well its pairs are distinguished from held-out ones.
        marks: `users` and `items` -> how well touched rows are distinguished from others; `lists` -> the same for
            touched items, by the places they gained in all lists.
        bands: figure, such as `retain recall@20`, -> 95 % band over users.
        bystanders: change of the lists of the users least related to the request.
        harm: change of recall of the users nearest to what was forgotten.
    """

    name: RunKind
    run: str
    seed: int
    seconds: float
    retain: dict[str, float]
    affected: dict[str, float] = {}
    unaffected: dict[str, float] = {}
    forget: dict[str, float] = {}
    auc: float | None = None
    auc_random: float | None = None
    auc_matched: float | None = None
    auc_matched_error: float | None = None
    percentiles: tuple[float, ...] = ()
    percentiles_held_out: tuple[float, ...] = ()
    exposure: dict[str, float] = {}
    groups: dict[str, float] = {}
    probes: dict[ProbeKey, float] = {}
    unassessed: dict[ProbeKey, str] = {}
    valid: float | None = None
    recognition: dict[Kind, Recognition] = {}
    marks: dict[MarkKind, Mark] = {}
    bands: dict[str, tuple[float, float]] = {}
    bystanders: Bystanders | None = None
    harm: Harm | None = None


class Gap(Settings):
    """One figure against Gold: positive means above Gold.

    Attributes:
        value: the figure of the unlearned run.
        gold_mean, gold_std: mean and standard deviation over the Gold runs; the latter is None for a single Gold.
        difference: value - gold_mean.
        z: difference / gold_std, None without a spread.
        tolerance: the difference that still counts as equal to Gold.
        error: standard error of the difference over the users or pairs measured; None where it is not known.
    """

    value: float
    gold_mean: float
    gold_std: float | None
    difference: float
    z: float | None
    tolerance: float
    error: float | None = None


class Likeness(Settings):
    """One measure of how similar a model's answers are to Gold's.

    Attributes:
        original, unlearned: mean similarity to the Golds.
        gold: mean over all pairs of Golds, the best to expect; None for a single Gold.
    """

    original: float | None
    unlearned: float | None
    gold: float | None = None
