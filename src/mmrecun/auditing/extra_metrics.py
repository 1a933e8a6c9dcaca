"""Slower figures of one run: each modality alone, and what vectors reveal."""

import numpy as np
import torch

from mmrecun.arrays import Bools
from mmrecun.auditing import similarity
from mmrecun.auditing.keys import Probe, ProbeKey
from mmrecun.auditing.membership import matched_auc
from mmrecun.auditing.model_outputs import AuditedRun, ModelOutputs, model_outputs, scored_vectors
from mmrecun.auditing.ranked_lists import ranked_lists
from mmrecun.auditing.setup import AuditSetup
from mmrecun.forget.partition import Partition
from mmrecun.models.base import UserItemVectors, Vectors
from mmrecun.rng import Seed

_SEED = Seed(20).child("examine")
_USERS, _CONTROLS = 256, 1000


@torch.no_grad()
def extra_metrics(
    audited: AuditedRun, partition: Partition, setup: AuditSetup, outputs: ModelOutputs | None = None
) -> dict[ProbeKey, float]:
    """Compute the slower figures of one run; those that do not apply to the request are left out.

    ZRF: see `zero_retrain_forgetting`. R2 of removed features, of each modality: see `feature_fit`.
    Recall and AUC of each branch: of the forgotten pairs, ranked by that branch alone.
    """
    whole, (_, item_vectors) = outputs or model_outputs(audited, partition, setup)
    found: dict[ProbeKey, float | None] = {}
    if len(setup.forgotten):
        found[ProbeKey.named(Probe.ZRF)] = zero_retrain_forgetting(audited, whole, setup)
        for name, pair in whole.branches.items():
            found |= {ProbeKey.named(probe, name): value for probe, value in _branch_metrics(pair, setup).items()}
    rows, vectors = partition.item_rows, item_vectors.cpu().double().numpy()
    for name, lost in partition.removed_features.items():
        modality = partition.original.modalities[name]
        kept = (modality.present & ~lost)[rows]
        found[ProbeKey.named(Probe.FEATURES_R2, name)] = feature_fit(vectors, modality.values()[rows], lost[rows], kept)
    return {key: value for key, value in found.items() if value is not None}


def _branch_metrics(pair: UserItemVectors, setup: AuditSetup) -> dict[Probe, float]:
    few = setup.controls.sample(max(_CONTROLS, len(setup.forgotten)), _SEED.numpy())
    forgotten, controls = (setup.placed(pair, pairs) for pairs in (setup.forgotten, few))
    found = {Probe.BRANCH_RECALL: float(ranked_lists(*pair, setup.seen, setup.forgotten).recall().mean())}
    estimate = matched_auc(forgotten, controls)
    return found | ({Probe.BRANCH_AUC: estimate.value} if estimate is not None else {})


def zero_retrain_forgetting(audited: AuditedRun, whole: Vectors, setup: AuditSetup) -> float:
    """Compute ZRF: 1 - mean Jensen-Shannon divergence (bits) from an untrained model (arXiv 2205.08096).

    It is taken over a sample of at most 256 users with a forgotten pair, and all items. At 1 the model answers like an
    untrained one. Compare it with Gold's.
    """
    users = torch.from_numpy(np.unique(setup.forgotten.users)[:_USERS])
    untrained = setup.cache.untrained(audited.model)
    pairs = [scored_vectors(vectors, setup) for vectors in (whole, untrained)]
    if pairs[0] is None or pairs[1] is None:
        pairs = [whole.sides, untrained.sides]
    first, second = ((pair[0][users], pair[1]) for pair in pairs if pair is not None)
    return 1 - similarity.mean_divergence(first, second)


def feature_fit(vectors: np.ndarray, features: np.ndarray, lost: Bools, kept: Bools) -> float | None:
    """Measure how well item vectors predict removed features: R^2 on the lost items of a ridge fitted on the kept.

    If it is above Gold's, the vectors still hold what was in the features. R^2 is 1 - squared error / squared deviation
    from the kept items' mean, over all features together; None when there is nothing to fit or to predict.

    Args:
        vectors: float64 [I, D].
        features: float32 [I, F], true ones also of the lost.
        lost, kept: bool [I].
    """
    if kept.sum() < 2 or not lost.any():
        return None
    centre, scale = vectors[kept].mean(axis=0), vectors[kept].std(axis=0) + 1e-12
    inputs = (vectors - centre) / scale
    mean = features[kept].mean(axis=0, dtype=np.float64)
    gram = inputs[kept].T @ inputs[kept] + 0.01 * kept.sum() * np.eye(vectors.shape[1])
    weights = np.linalg.solve(gram, inputs[kept].T @ (features[kept] - mean))
    truth = features[lost] - mean
    error = ((truth - inputs[lost] @ weights) ** 2).sum()
    total = (truth**2).sum()
    return float(1 - error / total) if total else None
