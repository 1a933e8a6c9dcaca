"""Are forgotten pairs still recognised? They are compared with pairs of the same people that nobody trained on.

A comparison holds three groups of pairs. *Forgotten* pairs are under test. *Held-out* pairs belong to the same users or
items and were set apart by the split, so to a model that never saw the forgotten ones both are alike: the AUC is 0.5.
*Known* pairs are what the model was taught and may keep; they show what a remembered pair looks like in it, and so
whether the comparison could have found anything at all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmrecun.audit.classifier import Weights, cross_validated, fit_logistic, normal_scores
from mmrecun.audit.figures import Recognition
from mmrecun.audit.known_share import known_share
from mmrecun.audit.membership import Estimate, Group, contributions, matched_auc, spread
from mmrecun.evaluation.matching import ITEM_STEP, placements
from mmrecun.rng import Seed
from mmrecun.shapes import Ints

_SEED = Seed(20).child("recognition")
STRATA = 8
_FEWEST = 40  # pairs of either kind and owners, for an attack that has to learn


@dataclass(frozen=True)
class Comparison:
    """Places of three groups of pairs in one model, and what an attacker sees of the first two.

    Attributes:
        forgotten, held_out, known: see above; strata of forgotten and held-out pairs can be compared.
        known_held_out: held-out pairs whose strata can be compared with those of the known ones.
        traits: float64 [N, F] and [M, F] of the forgotten and the held-out pairs, as the model has them.
        structure: float64 [N, G], [M, G] and [L, G] of the three groups, as the retained pairs alone have them.
    """

    forgotten: Group
    held_out: Group
    known: Group
    known_held_out: Group
    traits: tuple[Weights, Weights]
    structure: tuple[Weights, Weights, Weights]

    @cached_property
    def balanced(self) -> tuple[Group, Group, Group]:
        """Forgotten, held-out and known pairs, in strata in which the split is no more likely for one than for another.

        A split may set pairs aside by how active somebody is, or by time. How likely each pair was to be set aside is
        estimated from what the retained pairs show (a propensity score, Rosenbaum and Rubin 1983); pairs are compared
        among those of about equal scores. Where that cannot be learned, the strata are those of popularity.
        """
        groups = (self.forgotten, self.held_out, self.known)
        if not self._learnable:
            return groups
        ranked = normal_scores(np.concatenate(self.structure), np.zeros(sum(map(len, self.structure)), dtype=np.int64))
        told, known = np.split(ranked, [len(ranked) - len(self.structure[2])])
        labels = np.arange(len(told)) < len(self.forgotten.owners)
        scores = cross_validated(told, labels, self._owners, _SEED.child("split").numpy())
        weights = fit_logistic(told, labels)
        scored = (scores[labels], scores[~labels], known @ weights[:-1])
        edges = np.quantile(scores[~labels], np.linspace(0, 1, STRATA + 1)[1:-1])
        forgotten, held_out, taught = (
            Group(group.percentiles, ITEM_STEP * (1 + np.digitize(score, edges)), group.owners)
            for group, score in zip(groups, scored, strict=True)
        )
        return forgotten, held_out, taught

    @property
    def _owners(self) -> Ints:
        return np.concatenate([self.forgotten.owners, self.held_out.owners])

    @property
    def _learnable(self) -> bool:
        """Whether there are enough pairs and owners to learn anything from their traits."""
        count = min(len(np.unique(self._owners)), *map(len, self.traits))
        return bool(self.traits[0].shape[1]) and count >= _FEWEST

    def contributions(self) -> tuple[Weights, Weights]:
        """What each forgotten and each held-out pair adds to the AUC; see `membership.contributions`."""
        return contributions(*self.balanced[:2])

    def figures(self) -> Recognition:
        """The AUC, the share that still looks known, and the AUC of an attack with labels."""
        one, other, third = self.balanced
        own = other if self.known_held_out is self.held_out else self.known_held_out
        estimate, taught = matched_auc(one, other), matched_auc(third, own)
        assert estimate is not None
        assert taught is not None
        forgotten, known = _places(one, other), _places(third, own)
        share = known_share(forgotten, self.forgotten.owners, known, self.known.owners, _SEED.child("share").numpy())
        attack, level = self._attack()
        return Recognition(
            pairs=len(forgotten),
            held_out=len(self.held_out.owners),
            place=float(self.forgotten.percentiles.mean()),
            auc=estimate.value,
            auc_error=estimate.error,
            known_auc=taught.value,
            known_auc_error=taught.error,
            known_share=share.value,
            known_share_low=share.low,
            known_share_high=share.high,
            attack_auc=attack.value if attack else None,
            attack_auc_error=attack.error if attack else None,
            attack_level=level,
        )

    def _attack(self) -> tuple[Estimate | None, float | None]:
        """AUC of a classifier that was told of other owners' pairs which of them were forgotten, and its level.

        The level is the AUC without the model: a split may leave out pairs by how active somebody is. The error is that
        of their difference. None for both where there is too little to learn from.
        """
        if not self._learnable:
            return None, None
        structure = np.concatenate(self.structure[:2])
        both = self._found(np.column_stack([structure, np.concatenate(self.traits)]))
        alone = self._found(structure)
        estimate, level = matched_auc(*both), matched_auc(*alone)
        assert estimate is not None
        assert level is not None
        parts = [contributions(*groups) for groups in (both, alone)]
        own, theirs = (first - second for first, second in zip(*parts, strict=True))
        error = spread((own, theirs), self.forgotten.owners, self.held_out.owners)
        return Estimate(estimate.value, error), level.value

    def _found(self, inputs: Weights) -> tuple[Group, Group]:
        """Scores of the forgotten and of the held-out pairs by a classifier that was told of other owners'."""
        owners, strata = self._owners, np.concatenate([group.strata for group in self.balanced[:2]])
        ranked = np.column_stack([normal_scores(inputs, np.zeros_like(strata)), normal_scores(inputs, strata)])
        labels = np.arange(len(owners)) < len(self.forgotten.owners)
        scores = cross_validated(ranked, labels, owners, _SEED.child("attack").numpy()).astype(np.float32)
        forgotten, held_out = (Group(scores[mask], strata[mask], owners[mask]) for mask in (labels, ~labels))
        return forgotten, held_out


def _places(group: Group, held_out: Group) -> Weights:
    """Share of the held-out pairs of its stratum that each pair outranks; float64 [N]."""
    return placements(group.percentiles, group.strata, held_out.percentiles, held_out.strata)
