"""Compare forgotten pairs with held-out pairs of the same users or items: are they still recognised?

A comparison has three groups of pairs. *Forgotten* pairs are under test. *Held-out* pairs belong to the same users or
items and were set apart by the split, so a model that never saw the forgotten ones has an AUC of 0.5. *Known* pairs
are training pairs that the model may keep; they show how a remembered pair looks in it, and so whether the comparison
could have found anything.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmrecun.arrays import Doubles, Ints
from mmrecun.auditing.classifier import cross_validated
from mmrecun.auditing.figures import Recognition
from mmrecun.auditing.known_share import known_share
from mmrecun.auditing.membership import Estimate, PairGroup, auc_beside, contributions, matched_auc
from mmrecun.evaluation.row_traits import normal_scores
from mmrecun.evaluation.stratified import comparable_pairs, placements
from mmrecun.rng import Seed

_SEED = Seed(20).child("recognition")
_FEWEST = 40  # pairs of either kind and owners, for an attack that has to learn


@dataclass(frozen=True)
class Comparison:
    """Percentiles of three groups of pairs in one model, and the traits by which an attacker sees the first two.

    Attributes:
        forgotten, held_out, known: see above; strata of forgotten and held-out pairs can be compared.
        known_held_out: held-out pairs whose strata can be compared with those of the known ones.
        traits: float64 [N, F] and [M, F] of the forgotten and the held-out pairs, as the model has them.
        structure: float64 [N, G] and [M, G], as the retained pairs alone have them.
    """

    forgotten: PairGroup
    held_out: PairGroup
    known: PairGroup
    known_held_out: PairGroup
    traits: tuple[Doubles, Doubles]
    structure: tuple[Doubles, Doubles]

    def contributions(self) -> tuple[Doubles, Doubles]:
        """Return what each forgotten and each held-out pair adds to the AUC; see `membership.contributions`."""
        return contributions(self.forgotten, self.held_out)

    @cached_property
    def comparable(self) -> float:
        """How much the forgotten and held-out pairs tell; see `stratified.comparable_pairs`."""
        return comparable_pairs(self.forgotten.strata, self.held_out.strata)

    def figures(self) -> Recognition:
        """Return the AUC, the share that still looks known, and the AUC of an attack with labels."""
        estimate, known_auc = matched_auc(self.forgotten, self.held_out), matched_auc(self.known, self.known_held_out)
        assert estimate is not None
        assert known_auc is not None
        forgotten, known = _places(self.forgotten, self.held_out), _places(self.known, self.known_held_out)
        share = known_share(forgotten, self.forgotten.owners, known, self.known.owners, _SEED.child("share").numpy())
        attack, level = self._attack()
        return Recognition(
            pairs=len(forgotten),
            held_out=len(self.held_out.owners),
            comparable=self.comparable,
            place=float(self.forgotten.percentiles.mean()),
            auc=estimate.value,
            auc_error=estimate.error,
            known_auc=known_auc.value,
            known_auc_error=known_auc.error,
            known_share=share.value,
            known_share_low=share.low,
            known_share_high=share.high,
            attack_auc=attack.value if attack else None,
            attack_auc_error=attack.error if attack else None,
            attack_level=level,
        )

    def _attack(self) -> tuple[Estimate | None, float | None]:
        """Compute the AUC of a classifier that was trained on other owners' labelled pairs, and its level.

        The level is the AUC without the model: a split may leave out pairs by how active somebody is. The error is that
        of their difference. None for both where there is too little to learn from.
        """
        owners = np.concatenate([self.forgotten.owners, self.held_out.owners])
        if not self.traits[0].shape[1] or min(len(np.unique(owners)), *map(len, self.traits)) < _FEWEST:
            return None, None
        structure = np.concatenate(self.structure)
        both = self._found(np.column_stack([structure, np.concatenate(self.traits)]), owners)
        return auc_beside(both, self._found(structure, owners))

    def _found(self, inputs: Doubles, owners: Ints) -> tuple[PairGroup, PairGroup]:
        """Score the forgotten and the held-out pairs by a classifier that was trained on other owners' pairs."""
        strata = np.concatenate([self.forgotten.strata, self.held_out.strata])
        ranked = np.column_stack([normal_scores(inputs, np.zeros_like(strata)), normal_scores(inputs, strata)])
        labels = np.arange(len(owners)) < len(self.forgotten.owners)
        scores = cross_validated(ranked, labels, owners, _SEED.child("attack").numpy()).astype(np.float32)
        forgotten, held_out = (PairGroup(scores[mask], strata[mask], owners[mask]) for mask in (labels, ~labels))
        return forgotten, held_out


def _places(group: PairGroup, held_out: PairGroup) -> Doubles:
    """Compute the share of the held-out pairs of its stratum that each pair outranks; float64 [N]."""
    return placements(group.percentiles, group.strata, held_out.percentiles, held_out.strata)
