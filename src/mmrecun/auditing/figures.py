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
    """How well one kind of forgotten pairs can still be told from held-out pairs of the same users.

    Attributes:
        pairs, held_out: how many were compared.
        place: mean rank percentile of the forgotten pairs; of removed users and items this is fold-in, from all pairs
            but the one asked about.
        auc, auc_error: matched AUC of the one against the other, 0.5 in Gold; its standard error.
        known_auc, known_auc_error: the same of pairs that the model was taught and may keep.
        known_share, known_share_low, known_share_high: of the forgotten pairs, how many look like those; 95 % band.
        attack_auc: of a classifier with labels, on pairs it was not told; None for too few pairs.
        attack_level: the same without the model, by what the retained pairs show of users and items.
        attack_auc_error: standard error of attack_auc - attack_level.
    """

    pairs: int
    held_out: int
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


class Mark(Settings):
    """How well touched rows, or items in lists, can be told from untouched ones of the same degree.

    Attributes:
        rows, others: number of touched and of other ones compared.
        auc: of a classifier for rows, of gained places for lists.
        level: the AUC that the retained pairs alone give, without any model; 0.5 for lists.
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
        overlap: of their lists of twenty.
        share_before, share_after: of the places in those lists, how many are held by touched items.
        gain, gain_error: places that went to items in proportion to what they lost, beyond chance among items of equal
            degree, as a share of all places; the spread of that chance.
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
        below, above: shares of them outside the range of all Golds.
        gaps: histogram of recall minus the Golds' mean, shares; 21 equal bins, the middle one around 0.
    """

    users: int
    below: float
    above: float
    gaps: tuple[float, ...]


class Harm(Settings):
    """Change of retained recall@20 of the users nearest to what was forgotten.

    Attributes:
        users: how many.
        mean, p1, p5: of the change; the latter of the one and five per cent who lost most.
    """

    users: int
    mean: float
    p1: float
    p5: float


class Measurements(Settings):
    """Measurements of one run; None if a figure does not exist.

    Attributes:
        name: what the run is in this audit.
        run: folder of the run.
        seed: of its training or unlearning.
        seconds: from request to servable model (from data to model for the original).
        retain: metrics on the retained test pairs, such as `recall@20`.
        forget: metrics with the forgotten pairs as ground truth and retained positives masked.
        affected: retain metrics of the users that a forgotten pair touched; of those alone that are still there.
        unaffected: retain metrics of all other users.
        auc: forgotten pairs against held-out positives by rank percentile; 0.5 means alike.
        auc_random: forgotten pairs against random unseen pairs of the same users.
        auc_matched, auc_matched_error: as `auc`, among pairs of equal popularity; its standard error.
        percentiles: histogram of the forgotten pairs' rank percentiles, 20 equal bins from 0 to 1, shares.
        percentiles_held_out: the same of the held-out positives.
        exposure: of removed items, as newcomers and before any filter: `top20` is the share of users with one in
            their list, `percentile` the mean place in the ranking from 0 to 1; `served` is `top20` of what is served.
        groups: retained recall@20 of active and other users, of popular and other items, and the gaps between them.
        probes: further figures by name; `fold_in` where rows were removed, the slower ones where they were asked for.
        unassessed: probe -> why it has no figure, of those that were asked for.
        valid: recall@20 on the retained validation pairs.
        recognition: kind of what was forgotten (`users`, `items`, `interactions`, `features NAME`) -> how well it is
            told from pairs that nobody trained on.
        marks: `users` and `items` -> how well touched rows are told from others.
            `lists`: how well touched items are told by the places they gained in everybody's lists.
        bands: figure, such as `retain recall@20`, -> 95 % band over users.
        bystanders: how the lists of those who have least to do with the request changed.
        harm: how the users nearest to what was forgotten fared.
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
        value: of the unlearned run.
        gold_mean, gold_std: over the Gold runs; the deviation is None for a single Gold.
        difference: value - gold_mean.
        z: difference / gold_std, None without a spread.
        tolerance: the difference that still counts as Gold's level.
        error: standard error of the difference over the people or pairs measured; None where it cannot be told.
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
        original, unlearned: mean over the Golds.
        gold: mean over every two Golds, the most that could be asked for; None for a single Gold.
    """

    original: float | None
    unlearned: float | None
    gold: float | None = None
