"""The table of strategies: names, suggestions, and what passes for a strategy."""

import pytest
from modAL.uncertainty import uncertainty_sampling

from alkit import get_strategy, get_strategy_names
from alkit.strategies import as_strategy
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
