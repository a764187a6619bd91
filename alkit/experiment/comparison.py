"""What a comparison of strategies found: table, statistics, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alkit.experiment.curves import (
    area_under_curve,
    holm,
    jackknife_interval,
    labels_saved,
    labels_to_reach,
    mean_interval,
    paired_test,
    penalty_matrix,
)
from alkit.experiment.plots import LearningCurveDisplay
from alkit.experiment.runs import Run


class _Curves(NamedTuple):
    """A strategy's runs, one row a seed: curves (R, T) to the round all runs reached, areas (R,)."""

    runs: list[Run]
    n_labels: np.ndarray
    score: np.ndarray
    area: np.ndarray

    def mean(self, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean curve of some seeds."""
        return self.n_labels[seeds].mean(0), self.score[seeds].mean(0)


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Strategies compared on the same pool, the same test set and the same initial labels, seed by seed.

    Made by `compare_strategies`.

    Parameters
    ----------
    runs : sequence of Run
        Every strategy with every seed, for every estimator.
    baseline : str, default="random"
        The strategy the others are measured against.
    estimators : dict of name to estimator, optional
        As they were before fitting.
    seeds : tuple of int
        The random state of each seed.
    scoring : str or callable, optional
        What scores are.
    """

    runs: Sequence[Run]
    baseline: str = "random"
    estimators: dict[str, Any] | None = None
    seeds: tuple[int, ...] = ()
    scoring: Any = None

    def __repr__(self) -> str:
        names, estimators = self.strategies, list(dict.fromkeys(run.estimator for run in self.runs))
        n_seeds = len({run.seed for run in self.runs})
        return f"Comparison(strategies={names}, estimators={estimators}, n_seeds={n_seeds}, baseline={self.baseline!r})"

    @property
    def strategies(self) -> list[str]:
        """Names of the strategies."""
        return list(dict.fromkeys(run.strategy for run in self.runs))

    def to_frame(self) -> pd.DataFrame:
        """Return every round of every run.

        Returns
        -------
        DataFrame
            With columns strategy, seed, round, n_labels, score, query_seconds, fit_seconds; before them estimator, if
            there are several.
        """
        frames = [
            pd.DataFrame(
                {
                    "estimator": run.estimator,
                    "strategy": run.strategy,
                    "seed": run.seed,
                    "round": np.arange(len(run.score)),
                    "n_labels": run.n_labels,
                    "score": run.score,
                    "query_seconds": run.query_seconds,
                    "fit_seconds": run.fit_seconds,
                }
            )
            for run in self.runs
        ]
        frame = pd.concat(frames, ignore_index=True)
        return frame if frame["estimator"].nunique() > 1 else frame.drop(columns="estimator")

    def curves(self) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        """Return the learning curves.

        Returns
        -------
        dict of (estimator, strategy) to (n_labels, score)
            Arrays (seeds, rounds), to the round all runs reached.
        """
        return {key: (curves.n_labels, curves.score) for key, curves in self._curves().items()}

    def fit_seconds(self) -> dict[tuple[str, str], np.ndarray]:
        """Return what training took in each round, in seconds.

        Returns
        -------
        dict of (estimator, strategy) to array (seeds, rounds)
            For the rounds of `curves`.
        """
        return {
            key: np.stack([run.fit_seconds[: curves.score.shape[1]] for run in curves.runs])
            for key, curves in self._curves().items()
        }

    def summary(self, target: float | None = None, confidence: float = 0.95) -> pd.DataFrame:
        """Return what each strategy gave and what it saved against the baseline.

        Parameters
        ----------
        target : float, optional
            The score to reach; by default the baseline's mean score at the end.
        confidence : float, default=0.95
            Of the intervals ``*_low`` to ``*_high``, over seeds.

        Returns
        -------
        DataFrame
            A row for each strategy (for each estimator, if there are several):

            - area: mean score over the labels bought (normalised area under the learning curve); area_std: its
              standard deviation between seeds;
            - gain: difference of areas to the baseline, seed by seed; p_value: of the paired t-test, Holm-corrected for
              the strategies tested (see `alkit.experiment.curves.paired_test` for what it speaks of);
            - final: mean score at the end; final_std: its standard deviation between seeds;
            - labels_to_target: where the mean curve reaches the target, NaN if it never does; reached: how many seeds'
              own curves do; saved: share of the baseline's labels that were not needed, by the mean curves;
            - query_seconds, fit_seconds: mean of a run's totals.
        """
        table = self._curves()
        rows = []
        for (estimator, strategy), curves in table.items():
            base = table[estimator, self.baseline]
            row: dict[str, Any] = {"estimator": estimator, "strategy": strategy}
            row |= _against(curves, base, confidence) if strategy != self.baseline else {}
            rows.append(row | _spread(curves, confidence) | _savings(curves, base, target, confidence))
        summary = pd.DataFrame(rows).reindex(columns=["estimator", "strategy", *_COLUMNS])
        summary["p_value"] = holm(summary["p_value"])
        index = ["estimator", "strategy"] if summary["estimator"].nunique() > 1 else ["strategy"]
        return summary.set_index(index)[list(_COLUMNS)]

    def labels_to_reach(self, targets: Sequence[float]) -> pd.DataFrame:
        """Return the labels each strategy's mean curve needs for each target.

        Parameters
        ----------
        targets : sequence of float

        Returns
        -------
        DataFrame
            A row for each (estimator, strategy), a column for each target; NaN where it is never reached.
        """
        table = {
            key: [labels_to_reach(*curves.mean(np.arange(len(curves.runs))), target) for target in targets]
            for key, curves in self._curves().items()
        }
        index = pd.MultiIndex.from_tuples(table, names=["estimator", "strategy"])
        return pd.DataFrame(list(table.values()), index, columns=pd.Index(targets, name="target"))

    def penalty_matrix(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return how often each strategy (row) beats each other (column), summed over estimators.

        Parameters
        ----------
        confidence : float, default=0.95
            Of each paired t-test, see `alkit.experiment.curves.penalty_matrix`. The first round, in which all hold the
            same labels, does not count.

        Returns
        -------
        DataFrame (S, S)
            Low columns are good.
        """
        names, table = self.strategies, self._curves()
        estimators = dict.fromkeys(estimator for estimator, _ in table)
        total = sum(
            penalty_matrix(np.stack([table[estimator, name].score[:, 1:] for name in names]), confidence)
            for estimator in estimators
        )
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

    def _curves(self) -> dict[tuple[str, str], _Curves]:
        """Group runs by estimator and strategy, seeds in order."""
        groups: dict[tuple[str, str], list[Run]] = {}
        for run in sorted(self.runs, key=lambda run: run.seed):
            groups.setdefault((run.estimator, run.strategy), []).append(run)
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


_COLUMNS = (
    "area", "area_low", "area_high", "area_std",
    "gain", "gain_low", "gain_high", "p_value",
    "final", "final_std",
    "labels_to_target", "reached", "saved", "saved_low", "saved_high",
    "query_seconds", "fit_seconds",
)  # fmt: skip


def _std(values_R: np.ndarray) -> float:
    """Standard deviation between seeds, NaN for one seed."""
    return float(np.std(values_R, ddof=1)) if len(values_R) > 1 else float("nan")


def _spread(curves: _Curves, confidence: float) -> dict[str, float]:
    """Area and final score with their spread between seeds, and the time they took."""
    low, high = mean_interval(curves.area, confidence)
    final_R = np.array([run.score[-1] for run in curves.runs])
    return {
        "area": curves.area.mean(),
        "area_low": low,
        "area_high": high,
        "area_std": _std(curves.area),
        "final": final_R.mean(),
        "final_std": _std(final_R),
        "query_seconds": np.mean([run.query_seconds.sum() for run in curves.runs]),
        "fit_seconds": np.mean([run.fit_seconds.sum() for run in curves.runs]),
    }


def _against(curves: _Curves, base: _Curves, confidence: float) -> dict[str, float]:
    """Paired difference of areas to the baseline."""
    difference_R = curves.area - base.area
    low, high = mean_interval(difference_R, confidence)
    return {"gain": difference_R.mean(), "gain_low": low, "gain_high": high, "p_value": paired_test(difference_R)}


def _savings(curves: _Curves, base: _Curves, target: float | None, confidence: float) -> dict[str, float]:
    """Labels to reach the target, and the share saved against the baseline."""

    def goal(seeds: np.ndarray) -> float:
        return base.mean(seeds)[1][-1] if target is None else target

    def saved(seeds: np.ndarray) -> float:
        return labels_saved(*curves.mean(seeds), *base.mean(seeds), goal(seeds))

    everyone = np.arange(len(curves.runs))
    low, high = jackknife_interval(saved, len(everyone), confidence)
    return {
        "labels_to_target": labels_to_reach(*curves.mean(everyone), goal(everyone)),
        "reached": int((curves.score >= goal(everyone)).any(1).sum()),
        "saved": saved(everyone),
        "saved_low": low,
        "saved_high": high,
    }
