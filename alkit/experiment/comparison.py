"""The result of a comparison of strategies: table, statistics, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alkit.experiment.curves import (
    area_under_curve,
    holm,
    labels_to_reach,
    mean_interval,
    paired_savings,
    paired_test,
    penalty_matrix,
)
from alkit.experiment.plots import LearningCurveDisplay
from alkit.experiment.runs import Run
from alkit.experiment.scorers import name_of_scorer
from alkit.experiment.splits import Split


class _Curves(NamedTuple):
    """The runs of one strategy, one row per seed: curves (R, T) up to the last common round, areas (R,)."""

    runs: list[Run]
    n_labels: np.ndarray
    score: np.ndarray
    area: np.ndarray

    def mean(self, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean curve of some seeds: n_labels and score."""
        return self.n_labels[seeds].mean(0), self.score[seeds].mean(0)


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Strategies compared on the same pools and test sets, seed by seed, by default with the same initial labels.

    Made by `compare_strategies`.

    Parameters
    ----------
    runs : sequence of Run
        Runs of every strategy with every seed, for every estimator.
    baseline : str, default="random"
        The strategy that the others are compared with.
    estimators : dict of name to estimator, optional
        The estimators, not fitted.
    seeds : tuple of int
        The random state of each seed.
    scoring : str or callable, optional
        The scorer that is shown.
    scorers : dict of name to scorer, optional
        Every scorer of the runs, see `scored_by`.
    splits : tuple of (pool, test), optional
        Rows of each split, if X was split; seeds took turns on them.
    """

    runs: Sequence[Run]
    baseline: str = "random"
    estimators: dict[str, Any] | None = None
    seeds: tuple[int, ...] = ()
    scoring: Any = None
    scorers: Mapping[str, Any] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()

    def __repr__(self) -> str:
        names = self.strategies
        estimators = list(dict.fromkeys(run.estimator for run in self.runs))
        n_seeds = len({run.seed for run in self.runs})
        return f"Comparison(strategies={names}, estimators={estimators}, n_seeds={n_seeds}, baseline={self.baseline!r})"

    @property
    def strategies(self) -> list[str]:
        """Names of the strategies."""
        return list(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def score_name(self) -> str:
        """Name of the scorer that is shown."""
        named = [name for name, scorer in self.scorers.items() if scorer is self.scoring]
        return named[0] if named else name_of_scorer(self.scoring)

    def scored_by(self, name: str) -> Comparison:
        """Return the same comparison by another of its scorers; nothing is played again.

        Parameters
        ----------
        name : str
            One of those given as `scoring`.

        Returns
        -------
        Comparison

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from alkit.experiment import compare_strategies
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> comparison = compare_strategies(
        ...     GaussianNB(), X, y, ["margin"], cv=5, scoring=["accuracy", "average_precision"], n_queries=3
        ... )
        >>> comparison.scored_by("average_precision").summary().index.tolist()
        ['random', 'margin']
        """
        if name not in self.scorers:
            raise ValueError(f"the runs were not scored by {name!r}, but by {list(self.scorers)}; pass one of these")
        runs = [run._replace(score=run.scores[name]) for run in self.runs]
        return replace(self, runs=runs, scoring=self.scorers[name])

    def to_frame(self) -> pd.DataFrame:
        """Return every round of every run.

        Returns
        -------
        DataFrame
            With columns strategy, seed, round, n_labels, score, query_seconds, fit_seconds; first estimator, if there
            are several; and last one column per scorer, if there are several.
        """
        frame = pd.concat([_rounds(run) for run in self.runs], ignore_index=True)
        if frame["estimator"].nunique() > 1:
            return frame
        return frame.drop(columns="estimator")

    def curves(self) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        """Return the learning curves.

        Returns
        -------
        dict of (estimator, strategy) to (n_labels, score)
            Arrays (seeds, rounds), up to the last round that all runs have.
        """
        return {key: (curves.n_labels, curves.score) for key, curves in self._curves().items()}

    def fit_seconds(self) -> dict[tuple[str, str], np.ndarray]:
        """Return the time that training took in each round, in seconds.

        Returns
        -------
        dict of (estimator, strategy) to array (seeds, rounds)
            For the rounds of `curves`.
        """
        seconds = {}
        for key, curves in self._curves().items():
            n_rounds = curves.score.shape[1]
            seconds[key] = np.stack([run.fit_seconds[:n_rounds] for run in curves.runs])
        return seconds

    def summary(self, target: float | None = None, confidence: float = 0.95) -> pd.DataFrame:
        """Return how good each strategy was, and how many labels it saved against the baseline.

        Parameters
        ----------
        target : float, optional
            The score to reach, as the scorer has it (of ``"neg_root_mean_squared_error"`` minus the error); by default
            the baseline's mean score at the end.
        confidence : float, default=0.95
            Of the intervals ``*_low`` to ``*_high``, over seeds.

        Returns
        -------
        DataFrame
            One row per strategy (per estimator and strategy, if there are several estimators):

            - area: mean score over the labels acquired (normalised area under the learning curve); area_std: its
              standard deviation between seeds;
            - gain: difference of areas to the baseline, seed by seed; p_value: of the paired t-test, Holm-corrected for
              the strategies tested (see `alkit.experiment.curves.paired_test` for what it tests);
            - final: mean score at the end; final_std: its standard deviation between seeds;
            - labels_to_target: labels with which the mean curve reaches the target, NaN if it never does; reached: for
              how many seeds the curve does; saved: share of labels that were not needed, mean over seeds, negative for
              a strategy that needed more than the baseline (see `alkit.experiment.curves.paired_savings`);
            - verdict: "better" or "worse" than the baseline if both the p-value and the interval of the gain say so,
              else "unclear";
            - query_seconds, fit_seconds: mean of a run's totals.
        """
        table = self._curves()
        rows = []
        for (estimator, strategy), curves in table.items():
            base = table[estimator, self.baseline]
            # These functions return the columns, in this order: to add a column, add it to one of them.
            rows.append(
                {"estimator": estimator, "strategy": strategy}
                | _area(curves, confidence)
                | _gain(curves, base, confidence)
                | _final(curves)
                | _savings(curves, base, target, confidence)
                | _seconds(curves)
            )
        summary = pd.DataFrame(rows)
        summary["p_value"] = holm(summary["p_value"])
        summary["verdict"] = [_verdict(row, confidence) for _, row in summary.iterrows()]
        if summary["estimator"].nunique() > 1:
            return summary.set_index(["estimator", "strategy"])
        return summary.drop(columns="estimator").set_index("strategy")

    def labels_to_reach(self, targets: Sequence[float]) -> pd.DataFrame:
        """Return the number of labels with which each strategy's mean curve reaches each target.

        Parameters
        ----------
        targets : sequence of float

        Returns
        -------
        DataFrame
            One row per (estimator, strategy), one column per target; NaN where it is never reached.
        """
        table = {}
        for key, curves in self._curves().items():
            n_labels, score = curves.mean(np.arange(len(curves.runs)))
            table[key] = [labels_to_reach(n_labels, score, target) for target in targets]
        index = pd.MultiIndex.from_tuples(table, names=["estimator", "strategy"])
        columns = pd.Index(targets, name="target")
        return pd.DataFrame(list(table.values()), index, columns)

    def penalty_matrix(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return how often each strategy (row) beats every other one (column), summed over estimators.

        Parameters
        ----------
        confidence : float, default=0.95
            Of each paired t-test, see `alkit.experiment.curves.penalty_matrix`. Where all strategies have the same
            labels in the first round, it does not count.

        Returns
        -------
        DataFrame (S, S)
            A strategy whose column is low is seldom beaten.
        """
        names, table = self.strategies, self._curves()
        total = np.zeros((len(names), len(names)))
        for estimator in dict.fromkeys(estimator for estimator, _ in table):
            first = 1 if self._start_alike(estimator) else 0
            score_S_R_T = np.stack([table[estimator, name].score[:, first:] for name in names])
            total += penalty_matrix(score_S_R_T, confidence)
        return pd.DataFrame(total, pd.Index(names, name="wins"), pd.Index(names, name="loses"))

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the learning curves, see `LearningCurveDisplay.from_comparison`.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        LearningCurveDisplay
        """
        return LearningCurveDisplay.from_comparison(self, ax=ax)

    def _start_alike(self, estimator: str) -> bool:
        """Tell whether all runs of a seed have the same labels in the first round."""
        starts: dict[int, set[tuple[int, ...]]] = {}
        for run in self.runs:
            if run.estimator == estimator:
                starts.setdefault(run.seed, set()).add(tuple(run.labeled_indices[: run.n_labels[0]]))
        return all(len(of_seed) == 1 for of_seed in starts.values())

    def _curves(self) -> dict[tuple[str, str], _Curves]:
        """Group runs by estimator and strategy, seeds in order."""
        groups: dict[tuple[str, str], list[Run]] = {}
        for run in sorted(self.runs, key=lambda run: run.seed):
            groups.setdefault((run.estimator, run.strategy), []).append(run)
        # a pool that ran out, or a stopping rule, may have ended some runs early
        n_rounds = min(len(run.score) for run in self.runs)
        table = {}
        for key in dict.fromkeys((run.estimator, run.strategy) for run in self.runs):
            runs = groups[key]
            table[key] = _Curves(
                runs,
                np.array([run.n_labels[:n_rounds] for run in runs]),
                np.array([run.score[:n_rounds] for run in runs]),
                np.array([area_under_curve(run.n_labels, run.score) for run in runs]),
            )
        return table


def _rounds(run: Run) -> pd.DataFrame:
    """Return one row per round."""
    several = run.scores if len(run.scores) > 1 else {}
    return pd.DataFrame(
        {
            "estimator": run.estimator,
            "strategy": run.strategy,
            "seed": run.seed,
            "round": np.arange(len(run.score)),
            "n_labels": run.n_labels,
            "score": run.score,
            "query_seconds": run.query_seconds,
            "fit_seconds": run.fit_seconds,
            **several,
        }
    )


def _std(values_R: np.ndarray) -> float:
    """Return the standard deviation between seeds, NaN for one seed."""
    if len(values_R) < 2:
        return float("nan")
    return float(np.std(values_R, ddof=1))


def _area(curves: _Curves, confidence: float) -> dict[str, Any]:
    """Return the mean area under the learning curve, its interval and its spread between seeds."""
    low, high = mean_interval(curves.area, confidence)
    return {"area": curves.area.mean(), "area_low": low, "area_high": high, "area_std": _std(curves.area)}


def _gain(curves: _Curves, base: _Curves, confidence: float) -> dict[str, Any]:
    """Return the paired difference of areas to the baseline; NaN for the baseline itself."""
    if curves is base:
        return dict.fromkeys(("gain", "gain_low", "gain_high", "p_value"), float("nan"))
    difference_R = curves.area - base.area
    low, high = mean_interval(difference_R, confidence)
    return {"gain": difference_R.mean(), "gain_low": low, "gain_high": high, "p_value": paired_test(difference_R)}


def _verdict(row: pd.Series, confidence: float) -> str:
    """Return whether a strategy is better or worse than the baseline: p-value and interval must both say so."""
    # all comparisons with NaN, of one seed or of the baseline itself, are false
    if row["p_value"] < 1 - confidence and row["gain_low"] > 0:
        return "better"
    if row["p_value"] < 1 - confidence and row["gain_high"] < 0:
        return "worse"
    return "unclear"


def _final(curves: _Curves) -> dict[str, Any]:
    """Return the mean score of the last round, and its spread between seeds."""
    final_R = np.array([run.score[-1] for run in curves.runs])
    return {"final": final_R.mean(), "final_std": _std(final_R)}


def _savings(curves: _Curves, base: _Curves, target: float | None, confidence: float) -> dict[str, Any]:
    """Return the labels with which the target is reached, and the share saved against the baseline."""
    _, base_score = base.mean(np.arange(len(base.runs)))
    goal = base_score[-1] if target is None else target
    saved_R = paired_savings(curves.n_labels, curves.score, base.n_labels, base.score, target)
    low, high = mean_interval(saved_R, confidence)
    mean_curve = curves.mean(np.arange(len(curves.runs)))
    return {
        "labels_to_target": labels_to_reach(*mean_curve, goal),
        "reached": int((curves.score >= goal).any(1).sum()),
        "saved": saved_R.mean(),
        "saved_low": low,
        "saved_high": high,
    }


def _seconds(curves: _Curves) -> dict[str, Any]:
    """Return the mean time of a run."""
    return {
        "query_seconds": np.mean([run.query_seconds.sum() for run in curves.runs]),
        "fit_seconds": np.mean([run.fit_seconds.sum() for run in curves.runs]),
    }
