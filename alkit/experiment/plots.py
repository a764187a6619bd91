"""Pictures of learning curves, after scikit-learn's Display classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.metrics import check_scoring

from alkit._optional import needs_extra
from alkit.experiment.curves import mean_interval

if TYPE_CHECKING:
    from alkit.experiment.comparison import Comparison
    from alkit.experiment.correlation import ScoreGainCorrelation

_LINE_STYLES = ("-", "--", ":", "-.")
_COLORS = [f"C{i}" for i in (0, 1, 2, 3, 4, 5, 6, 8, 9)]
"""Matplotlib's cycle without its grey, which is the baseline's."""
_MARKERS = ("", "o", "s", "^")
"""Tell strategies of the same colour apart."""
_LEGEND_LINES = 6
"""Lines that a legend inside of the picture names at most."""


class LearningCurveDisplay:
    """Learning curves: score over labels acquired, with a band over seeds, and the seconds that training took.

    Made by `from_comparison` or `from_estimator`.

    Parameters
    ----------
    curves : dict of (estimator, strategy) to (n_labels, score)
        Arrays (seeds, rounds).
    fit_seconds : dict of (estimator, strategy) to array (seeds, rounds), optional
        The time that training took in each round, of the same curves.
    baseline : str, optional
        The strategy drawn in grey, with a dotted line at its final score.
    score_name : str, default="score"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the curves.
    time_ax_ : matplotlib Axes or None
        With the mean seconds of training, where they are drawn.
    figure_ : matplotlib Figure
    lines_ : list of Line2D
        One per curve.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit import ActiveLearningClassifier
    >>> from alkit.experiment import LearningCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> loop = ActiveLearningClassifier(GaussianNB(), n_queries=3, random_state=0).fit(X, y)
    >>> LearningCurveDisplay.from_estimator(loop, X, y).ax_.get_xlabel()
    'labels acquired'
    """

    def __init__(
        self,
        curves: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]],
        *,
        fit_seconds: dict[tuple[str, str], np.ndarray] | None = None,
        baseline: str | None = None,
        score_name: str = "score",
    ) -> None:
        self.curves = curves
        self.fit_seconds = fit_seconds
        self.baseline = baseline
        self.score_name = score_name

    @classmethod
    def from_comparison(
        cls,
        comparison: Comparison,
        *,
        ax: Any = None,
        time_ax: Any = None,
        band: str = "interval",
        score_name: str | None = None,
    ) -> Self:
        """Draw a comparison: one colour per strategy and one line style per estimator.

        If there is only one strategy, the colours are those of the estimators.

        Parameters
        ----------
        comparison : Comparison
        ax, time_ax : matplotlib Axes, optional
            Where to draw the curves, and the seconds of training. By default one above the other in a new figure; with
            `ax` alone, only the curves are drawn.
        band : {"interval", "std"}, default="interval"
            A 95 % confidence interval of the mean, or a standard deviation between seeds to either side, within 0
            and 1 where all scores are. Left out for ten curves or more.
        score_name : str, optional
            Label of the axis; by default the name of the scorer. Of one such as ``"neg_root_mean_squared_error"`` the
            error is drawn.

        Returns
        -------
        LearningCurveDisplay
        """
        curves = comparison.curves()
        if isinstance(comparison.scoring, str) and comparison.scoring.startswith("neg_"):
            curves = {key: (n_labels, -score) for key, (n_labels, score) in curves.items()}
        display = cls(
            curves,
            fit_seconds=comparison.fit_seconds(),
            baseline=comparison.baseline,
            score_name=_read_out(comparison.score_name) if score_name is None else score_name,
        )
        return display.plot(ax=ax, time_ax=time_ax, band=band)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        scoring: Any = None,
        ax: Any = None,
        time_ax: Any = None,
        score_name: str = "score",
    ) -> Self:
        """Draw one fitted loop.

        Parameters
        ----------
        estimator : fitted ActiveLearningClassifier or ActiveLearningRegressor
        X, y : rows and labels
            To score each round's model on.
        scoring : str or callable, optional
            A scikit-learn scorer; accuracy by default.
        ax, time_ax : matplotlib Axes, optional
            As in `from_comparison`.
        score_name : str, default="score"
            Label of the axis.

        Returns
        -------
        LearningCurveDisplay
        """
        score = [check_scoring(model, scoring)(model, X, y) for model in estimator.estimators_]
        strategy = estimator.query_strategy
        names = type(estimator.estimator).__name__, getattr(strategy, "__name__", str(strategy))
        curve = estimator.n_labels_[None], np.array(score)[None]  # of one seed
        seconds = estimator.fit_seconds_[None]
        display = cls({names: curve}, fit_seconds={names: seconds}, score_name=score_name)
        return display.plot(ax=ax, time_ax=time_ax)

    def plot(self, ax: Any = None, *, time_ax: Any = None, band: str = "interval") -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax, time_ax : matplotlib Axes, optional
            As in `from_comparison`.
        band : {"interval", "std"}, default="interval"
            As in `from_comparison`.

        Returns
        -------
        self
        """
        if band not in ("interval", "std"):
            raise ValueError(f"band is {band!r}; pass 'interval' or 'std'")
        self._take_axes(ax, time_ax)
        estimators = list(dict.fromkeys(estimator for estimator, _ in self.curves))
        looks = self._looks()
        self.lines_ = []
        for (estimator, strategy), (n_labels, score) in self.curves.items():
            style = _LINE_STYLES[estimators.index(estimator) % len(_LINE_STYLES)]
            label = f"{strategy}, {estimator}" if len(estimators) > 1 else strategy
            x, mean = n_labels.mean(0), score.mean(0)
            color, marker = looks[estimator, strategy]
            self.lines_ += self.ax_.plot(x, mean, style, color=color, marker=marker, markersize=4, label=label)
            # of many curves the bands would hide each other
            if len(score) > 1 and len(self.curves) <= len(_COLORS):
                self.ax_.fill_between(x, *_band(score, band), color=color, alpha=0.15, linewidth=0)
            if strategy == self.baseline:
                self.ax_.axhline(mean[-1], color="grey", linestyle=":", linewidth=1)
            if self.time_ax_ is not None and self.fit_seconds is not None:
                seconds = self.fit_seconds[estimator, strategy].mean(0)
                self.time_ax_.plot(x, seconds, style, color=color, linewidth=1)
        self._label_axes()
        return self

    def _looks(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return colour and marker of each curve: by strategy, the baseline in grey, or else by estimator."""
        strategies = list(dict.fromkeys(strategy for _, strategy in self.curves if strategy != self.baseline))
        if not strategies:
            estimators = list(dict.fromkeys(estimator for estimator, _ in self.curves))
            return {key: _look(estimators.index(key[0])) for key in self.curves}
        grey = {self.baseline: ("grey", "")}
        by_strategy = {name: _look(i) for i, name in enumerate(strategies)} | grey
        return {key: by_strategy[key[1]] for key in self.curves}

    def _take_axes(self, ax: Any, time_ax: Any) -> None:
        """Take the axes that were passed, or make a figure."""
        if ax is None and time_ax is None and self.fit_seconds is not None:
            shape = {"figsize": (7, 5.2), "height_ratios": (4, 1)}
            _, (ax, time_ax) = _pyplot().subplots(2, 1, layout="constrained", **shape)
        self.ax_, self.figure_ = _axes(ax)
        self.time_ax_ = time_ax

    def _label_axes(self) -> None:
        """Label the axes."""
        self.ax_.set(xlabel="labels acquired", ylabel=self.score_name)
        if len(self.lines_) > _LEGEND_LINES:
            # beside the curves, which so many names would hide
            self.ax_.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
        else:
            self.ax_.legend(loc="best")
        self.ax_.grid(alpha=0.3)
        if self.time_ax_ is not None:
            self.time_ax_.set(xlabel="labels acquired", ylabel="seconds\nper fit")
            self.time_ax_.set_ylim(bottom=0)
            self.time_ax_.grid(alpha=0.3)


class PenaltyMatrixDisplay:
    """The pairwise penalty matrix: how often the row's strategy beats the column's.

    Parameters
    ----------
    matrix : DataFrame (S, S)
        As `Comparison.penalty_matrix` returns it.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    im_ : AxesImage
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    @classmethod
    def from_comparison(cls, comparison: Comparison, *, ax: Any = None) -> Self:
        """Draw the matrix of a comparison.

        Parameters
        ----------
        comparison : Comparison
        ax : matplotlib Axes, optional

        Returns
        -------
        PenaltyMatrixDisplay
        """
        return cls(comparison.penalty_matrix()).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the matrix, and below it the mean of each column, which is low for a good strategy.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        self.ax_, self.figure_ = _axes(ax)
        names = list(self.matrix.columns)
        shown = np.vstack([self.matrix.to_numpy(), self.matrix.mean()])
        top = max(1.0, shown.max())
        self.im_ = self.ax_.imshow(shown, cmap="Blues", vmin=0, vmax=top)
        for (row, column), value in np.ndenumerate(shown):
            color = "white" if value > top / 2 else "black"
            self.ax_.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
        self.ax_.axhline(len(names) - 0.5, color="black", linewidth=1)
        self.ax_.set_xticks(range(len(names)), names, rotation=30, ha="right")
        self.ax_.set_yticks(range(len(shown)), [*names, "mean"])
        self.ax_.set(xlabel="is beaten (share of rounds)", ylabel="beats")
        return self


class ScoreGainDisplay:
    """Gain over mean score of groups of rows, one picture per score and one colour per seed.

    Parameters
    ----------
    groups : DataFrame
        As `ScoreGainCorrelation.to_frame` returns it.
    r : DataFrame
        As `ScoreGainCorrelation.summary` returns it.

    Attributes
    ----------
    axes_ : array of matplotlib Axes (S,)
    figure_ : matplotlib Figure
    """

    def __init__(self, groups: Any, r: Any) -> None:
        self.groups = groups
        self.r = r

    @classmethod
    def from_correlation(cls, correlation: ScoreGainCorrelation, *, ax: Any = None) -> Self:
        """Draw the gains of groups.

        Parameters
        ----------
        correlation : ScoreGainCorrelation
        ax : array of matplotlib Axes, optional
            One per score.

        Returns
        -------
        ScoreGainDisplay
        """
        return cls(correlation.to_frame(), correlation.summary()).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the groups, and above them the correlation, averaged over seeds.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            One per score.

        Returns
        -------
        self
        """
        names = list(dict.fromkeys(self.groups["score"]))
        if ax is None:
            size = 3.6 * len(names), 3.4
            _, ax = _pyplot().subplots(1, len(names), figsize=size, sharey=True, layout="constrained")
        self.axes_ = np.atleast_1d(ax).ravel()
        if len(self.axes_) != len(names):
            raise ValueError(f"ax holds {len(self.axes_)} Axes, but there are {len(names)} scores; pass one per score")
        self.figure_ = self.axes_[0].figure
        for axes, name in zip(self.axes_, names, strict=True):
            for seed, groups in self.groups[self.groups["score"] == name].groupby("seed"):
                axes.plot(groups["mean_score"], groups["gain"], ".", color=f"C{seed % 10}", alpha=0.5)
            r = self.r.loc[name, "r"]
            spread = f" (sd {r.std():.2f}, {len(r)} seeds)" if len(r) > 1 else ""
            axes.set(title=f"{name}\nr = {r.mean():+.2f}{spread}", xlabel="mean score of a group")
            axes.axhline(0, color="grey", linewidth=1)
            axes.grid(alpha=0.3)
        self.axes_[0].set_ylabel("gain in test score")
        return self


def _look(number: int) -> tuple[str, str]:
    """Return colour and marker of the curve of a number."""
    repeat, color = divmod(number, len(_COLORS))
    return _COLORS[color], _MARKERS[repeat % len(_MARKERS)]


def _read_out(scorer: str) -> str:
    """Return what a scorer measures, as its name says it: of one of errors, the error."""
    return scorer.removeprefix("neg_").replace("_", " ")


def _band(score: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper edge of the band around the mean of seeds."""
    if kind == "std":
        mean, std = score.mean(0), score.std(0, ddof=1)
        low, high = mean - std, mean + std
    else:
        low, high = np.array([mean_interval(column) for column in score.T]).T
    if score.min() >= 0 and score.max() <= 1:
        # a share of rows cannot be more than all of them
        low, high = low.clip(0, 1), high.clip(0, 1)
    return low, high


def _axes(ax: Any) -> tuple[Any, Any]:
    """Return the axes to draw on and their figure, new ones if none are passed."""
    if ax is None:
        _, ax = _pyplot().subplots(figsize=(7, 4.2), layout="constrained")
    return ax, ax.figure


def _pyplot() -> Any:
    """Return matplotlib.pyplot, an optional package that is imported only when something is drawn."""
    with needs_extra("plot", "plotting"):
        import matplotlib.pyplot as plt
    return plt
