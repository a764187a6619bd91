"""Greedy sampling and LCMD, against plain loops in float64 and scikit-activeml where it is installed."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from alkit.strategies import picks

rng = np.random.default_rng(0)
N, M, K = 70, 9, 12
POOL, TAUGHT = rng.normal(size=(N, 3)), rng.normal(size=(M, 3))
PREDICTED, LABELS = rng.normal(size=N), rng.normal(size=M)


def seeded():
    return np.random.default_rng(0)


def tensors(*arrays):
    return [torch.as_tensor(array) for array in arrays]


def greedy(distance, n_taught, first=None):
    """Pick by a matrix of distances between pool rows and all rows, those taught last."""
    chosen, known = [], list(range(N, N + n_taught))
    for _ in range(K):
        if not known:
            i = first
        else:
            nearest = distance[:, known].min(1)
            nearest[chosen] = -np.inf
            i = int(nearest.argmax())
        chosen.append(i)
        known.append(i)
    return chosen


def distances(targets=PREDICTED[:, None], labels=LABELS[:, None]):
    in_x = cdist(POOL, np.vstack([POOL, TAUGHT]))
    in_y = np.abs(targets[:, None] - np.vstack([targets, labels])).prod(-1)
    return in_x, in_y


def test_picks_are_those_of_a_plain_loop():
    in_x, in_y = distances()
    X, y = tensors(POOL, TAUGHT), tensors(PREDICTED, LABELS)
    assert picks.gsx(*X, k=K, rng=seeded()).indices.tolist() == greedy(in_x, M)
    assert picks.gsy(*y, k=K, rng=seeded()).indices.tolist() == greedy(in_y, M)
    assert picks.igs(*X, *y, k=K, rng=seeded()).indices.tolist() == greedy(in_x * in_y, M)


def test_distances_of_several_outputs_are_multiplied():
    targets, labels = rng.normal(size=(N, 2)), rng.normal(size=(M, 2))
    in_x, in_y = distances(targets, labels)
    X, y = tensors(POOL, TAUGHT), tensors(targets, labels)
    assert picks.gsy(*y, k=K, rng=seeded()).indices.tolist() == greedy(in_y, M)
    of_units = tensors(targets * [1.0, 1e5], labels * [1.0, 1e5])
    for answers in (y, of_units):
        assert picks.igs(*X, *answers, k=K, rng=seeded()).indices.tolist() == greedy(in_x * in_y, M)


def test_without_labels_the_first_row_is_the_central_one():
    in_x, in_y = distances()
    nothing = torch.empty(0, 3), torch.empty(0)
    X, y = tensors(POOL, PREDICTED)
    central = int(np.linalg.norm(POOL - POOL.mean(0), axis=1).argmin())
    assert picks.gsx(X, nothing[0], k=K, rng=seeded()).indices.tolist() == greedy(in_x, 0, central)
    expected = greedy(in_x * in_y, 0, central)
    assert picks.igs(X, nothing[0], y, nothing[1], k=K, rng=seeded()).indices.tolist() == expected
    mean = int(np.abs(PREDICTED - PREDICTED.mean()).argmin())
    assert picks.gsy(y, nothing[1], k=K, rng=seeded()).indices.tolist() == greedy(in_y, 0, mean)


def test_labels_of_another_width():
    with pytest.raises(ValueError, match=r"predicts 1 number\(s\) per row, but labels have shape \(9, 2\)"):
        picks.gsy(torch.zeros(N), torch.zeros(M, 2), k=1, rng=seeded())


def test_picks_are_those_of_scikit_activeml():
    pool = pytest.importorskip("skactiveml.pool")
    regressor = pytest.importorskip("skactiveml.regressor")
    X = np.vstack([POOL, TAUGHT])
    y = np.append(np.full(N, np.nan), LABELS)
    predicted = Ridge().fit(TAUGHT, LABELS).predict(POOL)
    theirs = pool.GreedySamplingX(random_state=0).query(X, y, batch_size=K)
    assert picks.gsx(*tensors(POOL, TAUGHT), k=K, rng=seeded()).indices.tolist() == theirs.tolist()
    for method, ours in (
        ("GSy", picks.gsy(*tensors(predicted, LABELS), k=K, rng=seeded())),
        ("GSi", picks.igs(*tensors(POOL, TAUGHT, predicted, LABELS), k=K, rng=seeded())),
    ):
        strategy = pool.GreedySamplingTarget(method=method, random_state=0)
        theirs = strategy.query(X, y, regressor.SklearnRegressor(Ridge()), batch_size=K)
        assert ours.indices.tolist() == theirs.tolist()


def largest_cluster(embedding, taught, k):
    """LCMD as the paper writes it: assign every row anew each time, sum up squared distances, take the farthest."""
    chosen = []
    for _ in range(k):
        centres = np.vstack([taught, embedding[chosen]])
        if not len(centres):
            chosen.append(int(np.linalg.norm(embedding, axis=1).argmax()))
            continue
        distance = cdist(embedding, centres)
        nearest = distance.argmin(1)
        sizes = np.array([(distance[nearest == c, c] ** 2).sum() for c in range(len(centres))])
        members = np.flatnonzero(nearest == sizes.argmax())
        chosen.append(int(members[distance[members, nearest[members]].argmax()]))
    return chosen


@pytest.mark.parametrize("n_taught", [0, 1, M])
def test_lcmd_is_the_papers_algorithm(n_taught):
    for seed in range(5):
        embedding = np.random.default_rng(seed).normal(size=(N, 4)) * [1, 2, 5, 0.1]
        taught = np.random.default_rng(seed + 99).normal(size=(n_taught, 4))
        ours = picks.lcmd(*tensors(embedding, taught), k=30, rng=seeded()).indices
        assert ours.tolist() == largest_cluster(embedding, taught, 30)


def test_lcmd_goes_on_among_duplicates():
    pool = torch.tensor([[0.0], [0.0], [5.0], [5.0]])
    indices = picks.lcmd(pool, torch.zeros(1, 1), k=4, rng=seeded()).indices
    assert sorted(indices.tolist()) == [0, 1, 2, 3]
    assert pool[indices[0], 0] == 5


def test_sizes_whose_squares_overflow_change_no_pick():
    X, y = tensors(POOL.astype(np.float32), TAUGHT.astype(np.float32)), tensors(PREDICTED, LABELS)
    large = [part * 2.0**100 for part in X]
    for pick, others in ((picks.gsx, ()), (picks.igs, y), (picks.lcmd, ())):
        expected = pick(*X, *others, k=K, rng=seeded()).indices
        assert pick(*large, *others, k=K, rng=seeded()).indices.tolist() == expected.tolist()
