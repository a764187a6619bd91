"""Statistics of learning curves: area, labels to reach a target, labels saved, and tests of differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn.isotonic import isotonic_regression


def area_under_curve(n_labels: Any, values: Any) -> float:
    """Mean height of a learning curve over its range of labels, in the units of the metric.

    Parameters
    ----------
    n_labels : array (T,)
        Number of labels in each round, increasing.
    values : array (T,)
        The metric in each round.

    Returns
    -------
    float
        The area by the trapezoidal rule over ``n_labels[-1] - n_labels[0]``; of a single round, its value.

    Examples
    --------
    >>> from alkit.experiment.curves import area_under_curve
    >>> area_under_curve([10, 20, 40], [0.5, 0.7, 0.9])
    0.733...
    """
    n_labels, values = np.asarray(n_labels, float), np.asarray(values, float)
    if len(values) == 1:
        return float(values[0])
    width = n_labels[-1] - n_labels[0]
    return float(np.trapezoid(values, n_labels) / width)


def labels_to_reach(n_labels: Any, values: Any, target: float) -> float:
    """Labels with which a curve first reaches a target, interpolated linearly between rounds.

    Parameters
    ----------
    n_labels, values : arrays (T,)
        As in `area_under_curve`.
    target : float
        In the units of the metric.

    Returns
    -------
    float
        NaN if it is never reached.

    Examples
    --------
    >>> from alkit.experiment.curves import labels_to_reach
    >>> labels_to_reach([10, 20, 40], [0.5, 0.7, 0.9], 0.8)
    30.0...
    """
    n_labels, values = np.asarray(n_labels, float), np.asarray(values, float)
    reached = np.flatnonzero(values >= target)
    if not reached.size:
        return float("nan")
    after = reached[0]
    if after == 0:
        return float(n_labels[0])
    before = after - 1
    share = (target - values[before]) / (values[after] - values[before])
    return float(n_labels[before] + share * (n_labels[after] - n_labels[before]))


def labels_saved(n_labels: Any, values: Any, baseline_n_labels: Any, baseline_values: Any, target: float) -> float:
    """Share of labels saved against a baseline on the way to a target.

    Parameters
    ----------
    n_labels, values : arrays (T,)
        A strategy's curve.
    baseline_n_labels, baseline_values : arrays (T',)
        The baseline's curve.
    target : float
        In the units of the metric, e.g. the baseline's final value.

    Returns
    -------
    float
        0.25 if it took a quarter fewer labels, negative if it took more; NaN if either never reaches the target.

    Examples
    --------
    >>> from alkit.experiment.curves import labels_saved
    >>> labels_saved([10, 20, 40], [0.5, 0.8, 0.9], [10, 20, 40], [0.5, 0.6, 0.8], target=0.8)
    0.5
    """
    needed = labels_to_reach(baseline_n_labels, baseline_values, target)
    return 1 - labels_to_reach(n_labels, values, target) / needed


def paired_savings(
    n_labels: Any, values: Any, baseline_n_labels: Any, baseline_values: Any, target: float | None = None
) -> np.ndarray:
    """Share of labels saved against a baseline, seed by seed.

    Both curves of a seed are made monotone (isotonic regression). The level they are compared at is the lower one of
    their final levels, and `target` if that is lower still. Saved is the difference of the labels with which they
    reach it, as a share of the larger number.

    Exchanging the two curves changes the sign and nothing else. So a strategy against itself saves 0 in the mean,
    whatever the noise, and Student's interval over seeds holds its level; noise makes the saving of a better strategy
    look smaller, not larger. `labels_saved` of mean curves has neither: the baseline reaches its own final score with
    its last labels by definition, which another curve of the same height does by chance before.

    Parameters
    ----------
    n_labels, values, baseline_n_labels, baseline_values : arrays (R, T)
        Curves of R seeds.
    target : float, optional
        In the units of the metric.

    Returns
    -------
    array (R,)
        Between -1 and 1: 0.25 if a quarter fewer labels were needed, -0.25 if the baseline needed a quarter fewer.

    Examples
    --------
    >>> from alkit.experiment.curves import paired_savings
    >>> fast, slow = [[0.5, 0.8, 0.9]], [[0.5, 0.6, 0.8]]
    >>> paired_savings([[10, 20, 40]], fast, [[10, 20, 40]], slow)
    array([0.5])
    >>> paired_savings([[10, 20, 40]], slow, [[10, 20, 40]], fast)
    array([-0.5])
    """
    curves = zip(n_labels, values, baseline_n_labels, baseline_values, strict=True)
    return np.array([_saving(_Rising.of(n, v), _Rising.of(n_0, v_0), target) for n, v, n_0, v_0 in curves])


class _Rising(NamedTuple):
    """A monotone curve, by its steps."""

    n_labels: np.ndarray
    """Labels in the middle of each step: where a flat curve reaches its level is not known better."""
    level: np.ndarray
    """Strictly rising."""
    start: float
    """Labels of the first round."""

    @classmethod
    def of(cls, n_labels: Any, values: Any) -> _Rising:
        """Return the monotone curve nearest to a curve."""
        n_labels = np.asarray(n_labels, float)
        level, step = np.unique(isotonic_regression(np.asarray(values, float)), return_inverse=True)
        return cls(np.bincount(step, n_labels) / np.bincount(step), level, n_labels[0])

    def labels_at(self, level: float) -> float:
        """Return the labels with which a level is reached; those of the start if it was above from the start."""
        return float(np.interp(level, self.level, self.n_labels, left=self.start))


def _saving(curve: _Rising, baseline: _Rising, target: float | None) -> float:
    """Return the share of labels saved by one curve against another."""
    both_reach = min(curve.level[-1], baseline.level[-1])
    level = both_reach if target is None else min(target, both_reach)
    needed, baseline_needed = curve.labels_at(level), baseline.labels_at(level)
    return (baseline_needed - needed) / max(baseline_needed, needed)


def paired_test(differences: Any) -> float:
    """Two-sided p-value of Student's t-test that paired differences, one per seed, have mean zero.

    Seeds draw initial labels and training noise independently, given the pool and the test set that they share. So
    their differences are independent, and the plain test holds its level for statements about this pool and this test
    set. The correction for resampled training sets (Nadeau & Bengio 2003) is for another design, in which every
    repetition splits the data anew; here it would hardly ever reject. That several strategies are tested at once does
    need a correction, see `holm`.

    Parameters
    ----------
    differences : array (R,)

    Returns
    -------
    float
        NaN for fewer than two seeds; 1 if no seed differs.

    Examples
    --------
    >>> from alkit.experiment.curves import paired_test
    >>> paired_test([0.02, 0.03, 0.01, 0.02, 0.04])
    0.0092...
    """
    differences = np.asarray(differences, float)
    if len(differences) < 2:
        return float("nan")
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        # All differences are equal but for rounding, which alone would decide the t statistic.
        return float(differences[0] == 0)
    return float(stats.ttest_1samp(differences, 0).pvalue)


def holm(p_values: Any) -> np.ndarray:
    """Correct p-values for multiple tests, so that the chance of any false discovery stays at the level tested.

    Parameters
    ----------
    p_values : array (M,)
        NaN marks what was not tested; it is not counted.

    Returns
    -------
    array (M,)

    References
    ----------
    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.

    Examples
    --------
    >>> from alkit.experiment.curves import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    corrected = np.array(p_values, float)
    # argsort puts NaN last
    n_tested = np.count_nonzero(~np.isnan(corrected))
    tested = np.argsort(corrected)[:n_tested]
    factors = np.arange(len(tested), 0, -1)
    # none may be smaller than one that was smaller before
    rising = np.maximum.accumulate(corrected[tested] * factors)
    corrected[tested] = np.minimum(rising, 1)
    return corrected


def jackknife_interval(
    statistic: Callable[[np.ndarray], float], n_seeds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval over seeds of any smooth statistic; of a mean, Student's interval.

    Parameters
    ----------
    statistic : callable
        Returns a value for an int array of seeds, ``0 .. n_seeds - 1``.
    n_seeds : int
        Number of seeds.
    confidence : float, default=0.95

    Returns
    -------
    low, high : float
        NaN for fewer than two seeds, or where the statistic is NaN with a seed left out.

    References
    ----------
    Tukey (1958), Bias and Confidence in Not Quite Large Samples.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.experiment.curves import jackknife_interval
    >>> areas = np.array([0.80, 0.82, 0.81])
    >>> jackknife_interval(lambda seeds: areas[seeds].mean(), 3)
    (0.785..., 0.834...)
    """
    if n_seeds < 2:
        return float("nan"), float("nan")
    seeds = np.arange(n_seeds)
    estimate = statistic(seeds)
    leave_one_out = np.array([statistic(np.delete(seeds, seed)) for seed in seeds])
    squares = np.square(leave_one_out - leave_one_out.mean())
    # the jackknife's factor is large, because values that share all seeds but one lie close together
    standard_error = np.sqrt((n_seeds - 1) / n_seeds * squares.sum())
    half_width = standard_error * stats.t.ppf((1 + confidence) / 2, n_seeds - 1)
    return float(estimate - half_width), float(estimate + half_width)


def mean_interval(values: Any, confidence: float = 0.95) -> tuple[float, float]:
    """Student's confidence interval of a mean over seeds.

    Parameters
    ----------
    values : array (R,)
    confidence : float, default=0.95

    Returns
    -------
    low, high : float
        NaN for fewer than two seeds.
    """
    values = np.asarray(values, float)
    return jackknife_interval(lambda seeds: values[seeds].mean(), len(values), confidence)


def penalty_matrix(values: Any, confidence: float = 0.95) -> np.ndarray:
    """Pairwise penalties: the share of rounds in which a paired t-test over seeds finds one strategy better.

    Parameters
    ----------
    values : array (S, R, T)
        Of S strategies, R seeds, T rounds.
    confidence : float, default=0.95
        Of each test, two-sided; 0.95 and five seeds require ``t > 2.776``, as in the paper.

    Returns
    -------
    array (S, S)
        Row i, column j: the share of rounds in which i beats j. A strategy whose column is low is seldom beaten. The
        paper adds the matrices of its experiments.

    References
    ----------
    Ash et al. (2020), Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.experiment.curves import penalty_matrix
    >>> noise = np.random.default_rng(0).normal(scale=0.01, size=(2, 5, 8))
    >>> penalty_matrix(noise + np.array([0.0, 0.1]).reshape(2, 1, 1))
    array([[0., 0.],
           [1., 0.]])
    """
    values = np.asarray(values, float)
    _, n_seeds, n_rounds = values.shape
    if n_seeds < 2:
        raise ValueError(f"values has {n_seeds} seed, but a paired test needs two; compare with more n_seeds")
    if n_rounds < 1:
        raise ValueError("values has 0 rounds (the common start is none), but a test needs one; raise n_queries")
    differences_S_S_R_T = values[:, None] - values[None]
    mean = differences_S_S_R_T.mean(2)
    error = differences_S_S_R_T.std(2, ddof=1) / np.sqrt(n_seeds)
    critical = stats.t.ppf((1 + confidence) / 2, n_seeds - 1)
    # not mean / error, which is 0 / 0 on the diagonal
    wins = mean > error * critical
    return wins.mean(-1)


def area_under_learning_curve(estimator: Any, X: Any, y: Any) -> float:
    """Score a simulated loop by the mean accuracy over its rounds: a scikit-learn scorer.

    Parameters
    ----------
    estimator : fitted ActiveLearningClassifier
    X : rows (n, ...)
        To predict.
    y : labels (n,)
        The true labels.

    Returns
    -------
    float
        `area_under_curve` of accuracy over labels acquired.

    Raises
    ------
    TypeError
        If the estimator has no rounds.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit import ActiveLearningClassifier
    >>> from alkit.experiment import area_under_learning_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> loop = ActiveLearningClassifier(GaussianNB(), n_queries=3, random_state=0)
    >>> grid = {"query_strategy": ["random", "margin"]}
    >>> search = GridSearchCV(loop, grid, scoring=area_under_learning_curve).fit(X, y)
    >>> f"{search.best_score_:.2f}"
    '0.96'
    """
    if not hasattr(estimator, "n_labels_") or not estimator.estimators_:
        raise TypeError(
            f"{type(estimator).__name__} has no learning curve; area_under_learning_curve scores an "
            "ActiveLearningClassifier after fit (compare_strategies finds the area by itself)"
        )
    true = np.asarray(y)
    accuracy = [np.mean(predicted == true) for predicted in estimator.staged_predict(X)]
    return area_under_curve(estimator.n_labels_, accuracy)
