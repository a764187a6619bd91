"""THE table: every strategy is one line. To add one, write a pure function and its line here."""

from difflib import get_close_matches
from typing import Any, overload

from alkit.strategies import picks, scores
from alkit.strategies.names import StrategyName
from alkit.strategies.strategy import Strategy

TABLE = (
    Strategy("random", pick=picks.uniform),
    # what the model predicts
    Strategy("least_confident", scores.least_confident, needs=("proba",)),
    Strategy("margin", scores.margin, needs=("class_scores",)),
    Strategy("entropy", scores.entropy, needs=("proba",)),
    # the mean of posterior samples: MC dropout, an ensemble or a committee
    Strategy("mc_least_confident", scores.mc_least_confident, needs=("samples",)),
    Strategy("mc_margin", scores.mc_margin, needs=("samples",)),
    Strategy("mc_entropy", scores.mc_entropy, needs=("samples",)),
    # how far posterior samples disagree
    Strategy("bald", scores.bald, needs=("samples",)),
    Strategy("mean_std", scores.mean_std, needs=("samples",)),
    Strategy("variation_ratio", scores.variation_ratio, needs=("votes",)),
    Strategy("power_bald", scores.bald, ("samples",), picks.sample_by_score),
    Strategy("batch_bald", scores.bald, ("samples",), picks.batch_bald, ("samples",)),
    Strategy("epig", scores.epig, needs=("samples", "target_samples")),
    Strategy("eer", scores.eer, needs=("samples", "target_samples")),
    # the same by the names used with committees
    Strategy("vote_entropy", scores.vote_entropy, needs=("votes",)),
    Strategy("consensus_entropy", scores.mc_entropy, needs=("samples",)),
    Strategy("max_disagreement", scores.max_disagreement, needs=("samples",)),
    # rows that differ from each other and from those labelled
    Strategy("badge", pick=picks.badge, pick_needs=("proba", "embedding")),
    Strategy("coreset", pick=picks.coreset, pick_needs=("embedding", "train_embedding")),
    Strategy("kmeans", pick=picks.kmeans, pick_needs=("embedding",)),
    Strategy("information_density", scores.entropy, ("proba",), picks.information_density, ("features",)),
    Strategy("ranked_batch", scores.least_confident, ("proba",), picks.ranked_batch, ("features", "train_features")),
    Strategy("falcun", pick=picks.falcun, pick_needs=("proba",), one_answer=True),
    Strategy("clue", scores.entropy, ("proba",), picks.clue, ("embedding",)),
    Strategy("cluster_margin", scores.margin, ("class_scores",), picks.cluster_margin, ("embedding",)),
    Strategy("drop_query", scores.disagreement, ("proba", "votes"), picks.drop_query, ("embedding",)),
    Strategy(
        "alfa_mix",
        pick=picks.alfa_mix,
        pick_needs=("proba", "embedding", "train_embedding", "y_train"),
        one_answer=True,
    ),
    Strategy("cal", scores.cal, needs=("proba", "embedding", "train_proba", "train_embedding"), one_answer=True),
    # how far labels would change the last layer
    Strategy("egl", scores.egl, needs=("proba", "embedding")),
    Strategy(
        "bait",
        pick=picks.bait,
        pick_needs=("proba", "embedding", "train_proba", "train_embedding"),
        one_answer=True,
    ),
    # numbers: how far predictions spread, and how far rows are from those labelled
    Strategy("std", scores.predictive_std, needs=("std",)),
    Strategy("qbc", scores.committee_spread, needs=("values",)),
    Strategy("emcm", scores.expected_model_change, needs=("prediction", "values", "last_layer")),
    Strategy("gsx", pick=picks.gsx, pick_needs=("features", "train_features")),
    Strategy("gsy", pick=picks.gsy, pick_needs=("prediction", "y_train")),
    Strategy("igs", pick=picks.igs, pick_needs=("features", "train_features", "prediction", "y_train")),
    Strategy("lcmd", pick=picks.lcmd, pick_needs=("embedding", "train_embedding")),
    # where a function may have its maximum
    Strategy("max_EI", scores.expected_improvement, needs=("prediction", "std", "y_train")),
    Strategy("max_PI", scores.probability_of_improvement, needs=("prediction", "std", "y_train")),
    Strategy("max_UCB", scores.upper_confidence_bound, needs=("prediction", "std")),
    # several labels per row
    Strategy("min_confidence", scores.min_confidence, needs=("label_proba",)),
    Strategy("avg_confidence", scores.avg_confidence, needs=("label_proba",)),
    Strategy("max_loss", scores.max_loss, needs=("label_proba",)),
    Strategy("mean_max_loss", scores.mean_max_loss, needs=("label_proba",)),
    Strategy("max_score", scores.max_score, needs=("label_proba",)),
    Strategy("avg_score", scores.avg_score, needs=("label_proba",)),
    Strategy("cvirs", pick=picks.cvirs, pick_needs=("label_proba", "y_train")),
    # before there is a model
    Strategy("max_herding", pick=picks.max_herding, pick_needs=("features", "train_features")),
    Strategy("typiclust", pick=picks.typiclust, pick_needs=("features", "train_features")),
    Strategy("probcover", pick=picks.probcover, pick_needs=("features", "train_features")),
    # the same, from few labels to many
    Strategy(
        "uncertainty_herding",
        scores.margin,
        ("class_scores",),
        picks.uncertainty_herding,
        ("features", "train_features"),
    ),
    # what the loss of a row would be
    Strategy("learning_loss", scores.learning_loss, needs=("loss",)),
    Strategy("ideal_loss", scores.ideal_loss, needs=("true_loss",)),
)

_BY_NAME = {strategy.name: strategy for strategy in TABLE}


def get_strategy_names() -> list[str]:
    """Return the names of all strategies, in the order of the table.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from alkit import get_strategy_names
    >>> "bald" in get_strategy_names()
    True
    """
    return list(_BY_NAME)


# editors complete names by the first; a name that a program computes is any string
@overload
def get_strategy(name: StrategyName, **params: Any) -> Strategy: ...
@overload
def get_strategy(name: str, **params: Any) -> Strategy: ...
def get_strategy(name: str, **params: Any) -> Strategy:
    """Return a strategy by name, with other parameters where given.

    Parameters
    ----------
    name : str
        One of `get_strategy_names`.
    **params
        Parameters of the strategy, such as ``n_samples`` of those that read posterior samples.

    Returns
    -------
    Strategy

    Raises
    ------
    ValueError
        If there is no strategy of that name; close matches are listed.
    TypeError
        If the strategy has no such parameter; those it has are listed.

    See Also
    --------
    get_strategy_names : All names.
    alkit.strategies.Strategy : What is returned, and how to make one of your own.

    Examples
    --------
    >>> from alkit import get_strategy
    >>> get_strategy("bald", n_samples=50)
    bald(n_samples=50)
    """
    if name not in _BY_NAME:
        close = get_close_matches(str(name), _BY_NAME)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(_BY_NAME)}"
        raise ValueError(f"there is no strategy {name!r}; {hint}")
    return _BY_NAME[name].with_params(**params)


def as_strategy(query_strategy: Any) -> Any:
    """Return the strategy of a name; a `Strategy` or any other callable as it is.

    Raises
    ------
    TypeError
        If it is neither a name nor a callable.
    """
    if isinstance(query_strategy, str):
        return get_strategy(query_strategy)
    if not callable(query_strategy):
        raise TypeError(f"query_strategy is {query_strategy!r}; pass a name, a Strategy or a modAL callable")
    return query_strategy
