"""The table of strategies: names, suggestions, and what passes for a strategy."""

import pickle
import pydoc
from typing import get_args

import pytest
from modAL.uncertainty import uncertainty_sampling

from alkit import get_strategy, get_strategy_names
from alkit.strategies import Strategy, as_strategy, cost_aware, subsample
from alkit.strategies.names import StrategyName
from alkit.strategies.table import TABLE


def test_names():
    assert get_strategy_names() == [strategy.name for strategy in TABLE]
    with pytest.raises(ValueError, match="no strategy 'magrin'; did you mean 'margin'"):
        get_strategy("magrin")
    with pytest.raises(ValueError, match="no strategy 'zzz'; there are random, "):
        get_strategy("zzz")


def test_names_are_distinct():
    assert len(set(get_strategy_names())) == len(TABLE)


def test_parameters_make_another_strategy_and_leave_the_table_alone():
    assert get_strategy("bald", n_samples=50).parameters() == {"n_samples": 50, "reduce": "mean"}
    assert "n_samples" not in get_strategy("bald").params


def test_strategies_by_name_or_as_they_are():
    assert as_strategy("margin") is as_strategy(get_strategy("margin"))
    assert as_strategy(uncertainty_sampling) is uncertainty_sampling
    with pytest.raises(TypeError, match="query_strategy is 3; pass a name, a Strategy or a modAL callable"):
        as_strategy(3)


def test_the_type_of_names_is_the_table():
    names = [strategy.name for strategy in TABLE]
    assert list(get_args(StrategyName)) == names, "alkit/strategies/names.py lists the names of the table, in its order"


@pytest.mark.parametrize("strategy", TABLE, ids=repr)
def test_help_speaks_of_the_strategy(strategy):
    told = pydoc.render_doc(strategy, renderer=pydoc.plaintext)
    assert Strategy.__doc__.splitlines()[0] not in told
    assert "References" in told


@pytest.mark.parametrize(
    "change", [lambda bald: bald.with_params(n_samples=50), lambda bald: pickle.loads(pickle.dumps(bald))]
)
def test_help_speaks_of_it_with_other_parameters_and_after_a_pickle(change):
    told = pydoc.render_doc(change(get_strategy("bald")), renderer=pydoc.plaintext)
    assert "Mutual information between label and weights" in told


def test_help_on_a_wrapped_strategy_speaks_of_how_it_picks():
    assert "utility per unit of cost" in cost_aware("margin").__doc__
    assert subsample("bald", size=10).__doc__ == get_strategy("bald").__doc__
