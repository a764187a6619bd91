"""Crowds whose truth is known."""

import numpy as np


def synthetic_crowd(n_items, n_annotators, n_classes, per_item, seed, spammers=0.0):
    """Labels (N, R) of annotators with confusion matrices of their own, and the truth (N,)."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, size=n_items, p=rng.dirichlet(np.full(n_classes, 5.0)))
    confusion = np.empty((n_annotators, n_classes, n_classes))
    for r in range(n_annotators):
        skill = 0 if rng.random() < spammers else rng.uniform(0.4, 0.9)
        noise = rng.dirichlet(np.ones(n_classes), size=n_classes)
        confusion[r] = skill * np.eye(n_classes) + (1 - skill) * noise
    labels = np.full((n_items, n_annotators), None, object)
    for i in range(n_items):
        for r in rng.choice(n_annotators, per_item, replace=False):
            labels[i, r] = f"c{rng.choice(n_classes, p=confusion[r, truth[i]]):02d}"
    return labels, np.array([f"c{t:02d}" for t in truth], object)
