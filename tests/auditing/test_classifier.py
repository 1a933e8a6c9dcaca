import numpy as np
import pytest
from scipy.stats import norm

from mmrecun.auditing.classifier import cross_validated, fit_logistic
from mmrecun.auditing.membership import auc
from mmrecun.evaluation.row_traits import normal_scores


def test_normal_scores_are_quantiles_of_ranks_within_each_stratum():
    values = np.array([[3.0], [1.0], [2.0], [50.0], [40.0]])
    found = normal_scores(values, np.array([0, 0, 0, 1, 1]))[:, 0]
    assert found == pytest.approx([*norm.ppf([5 / 6, 1 / 6, 3 / 6]), *norm.ppf([3 / 4, 1 / 4])])
    assert normal_scores(np.ones((4, 2)), np.zeros(4, dtype=int)).any() == np.False_


def test_the_fit_is_where_the_gradient_of_the_penalised_likelihood_is_zero():
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(80, 3)), rng.random(80) < 0.4
    weights = fit_logistic(inputs, labels)
    design = np.column_stack([inputs, np.ones(80)])
    gradient = design.T @ (1 / (1 + np.exp(-design @ weights)) - labels) + np.array([1, 1, 1, 1e-6]) * weights
    assert np.abs(gradient).max() < 1e-6


def test_what_stands_out_to_either_side_is_found_and_noise_is_not():
    rng = np.random.default_rng(1)
    labels = rng.random(1000) < 0.3
    spread = normal_scores(np.where(labels, 3, 1)[:, None] * rng.normal(size=(1000, 1)), np.zeros(1000, dtype=int))
    scores = cross_validated(spread, labels, np.arange(1000), np.random.default_rng(2))
    assert auc(scores[labels], scores[~labels]) > 0.7
    noise = rng.normal(size=(1000, 5))
    scores = cross_validated(noise, labels, np.arange(1000), np.random.default_rng(2))
    assert auc(scores[labels], scores[~labels]) == pytest.approx(0.5, abs=0.06)


def test_an_owner_is_never_judged_by_what_was_learned_of_it():
    """Each owner has an input and a label of its own; who has seen the owner knows, who has not can only guess."""
    rng = np.random.default_rng(3)
    owners = np.repeat(np.arange(100), 20)
    own_input, own_label = rng.normal(size=100), rng.random(100) < 0.5
    inputs, labels = own_input[owners][:, None], own_label[owners]
    scores = cross_validated(inputs, labels, owners, np.random.default_rng(4))
    assert auc(scores[labels], scores[~labels]) < 0.65
