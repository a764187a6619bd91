"""The result of a comparison: its statistics against scipy and closed forms."""

import numpy as np
import pytest
from scipy import stats

from alkit.experiment.curves import area_under_curve
from tests.experiment.helpers import compare, synthetic


def test_summary():
    rng = np.random.default_rng(0)
    base = np.array([0.4, 0.6, 0.7, 0.8])
    curves = {
        "random": base + rng.normal(0, 0.01, (5, 4)),
        "good": base + np.array([0, 0.1, 0.1, 0.1]) + rng.normal(0, 0.01, (5, 4)),
        "poor": base - 0.1 + rng.normal(0, 0.01, (5, 4)),
    }
    comparison = synthetic(curves)
    summary = comparison.summary()
    area = {
        name: np.array([area_under_curve([10, 20, 30, 40], score) for score in scores])
        for name, scores in curves.items()
    }
    assert summary.loc["good", "area"] == pytest.approx(area["good"].mean())
    assert summary.loc["good", "area_std"] == pytest.approx(area["good"].std(ddof=1))
    tests = [stats.ttest_rel(area[name], area["random"]) for name in ("good", "poor")]
    smaller, larger = sorted(test.pvalue for test in tests)
    assert sorted(summary["p_value"].dropna()) == pytest.approx([2 * smaller, max(2 * smaller, larger)])
    low, high = tests[0].confidence_interval()
    assert summary.loc["good", ["gain_low", "gain_high"]].tolist() == pytest.approx([low, high])
    assert summary.loc["random", ["gain", "p_value"]].isna().all()
    assert summary.loc["random", "saved"] == 0
    mean = curves["good"].mean(0)
    goal = curves["random"].mean(0)[-1]
    needed = np.interp(goal, mean, [10, 20, 30, 40])
    assert summary.loc["good", "labels_to_target"] == pytest.approx(needed)
    goals = curves["random"][:, -1]
    saved = [1 - np.interp(g, c, [10, 20, 30, 40]) / 40 for g, c in zip(goals, curves["good"], strict=True)]
    assert summary.loc["good", "saved"] == pytest.approx(np.mean(saved))
    low, high = stats.ttest_1samp(saved, 0).confidence_interval()
    assert summary.loc["good", ["saved_low", "saved_high"]].tolist() == pytest.approx([low, high])
    assert summary["verdict"].to_dict() == {"random": "unclear", "good": "better", "poor": "worse"}
    assert summary.loc["good", "fit_seconds"] == 4


def test_a_target_never_reached_is_not_a_number():
    comparison = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 3, "poor": [[0.1, 0.1, 0.2, 0.3]] * 3})
    poor = comparison.summary().loc["poor"]
    assert np.isnan(poor["labels_to_target"])
    # the baseline had the final score of the other, 0.3, with 30 labels in place of 40
    assert poor[["saved", "saved_low", "saved_high"]].tolist() == pytest.approx([-0.25] * 3)
    assert poor["reached"] == 0
    assert comparison.summary(target=0.9)["labels_to_target"].isna().all()
    assert comparison.labels_to_reach([0.2, 0.9]).loc[("model", "poor")].tolist()[0] == pytest.approx(30)
    assert comparison.labels_to_reach([0.2, 0.9])[0.9].isna().all()


def test_one_seed_has_no_statistics():
    summary = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]], "good": [[0.1, 0.4, 0.5, 0.6]]}).summary()
    assert summary.loc["good", "gain"] == pytest.approx(np.mean([0.1, 0.2, 0.2]))
    assert summary[["area_low", "area_std", "p_value", "final_std", "saved_low"]].isna().all(axis=None)
    assert summary.loc["good", "verdict"] == "unclear"


def test_penalties_do_not_count_the_common_start():
    noise = np.random.default_rng(0).normal(0, 0.001, (2, 5, 4))
    comparison = synthetic({"random": noise[0] + 0.5, "good": noise[1] + [0.5, 0.9, 0.9, 0.9]})
    assert comparison.penalty_matrix().loc["good", "random"] == 1
    assert comparison.penalty_matrix().loc["random", "good"] == 0
    with pytest.raises(ValueError, match="values has 0 rounds .* raise n_queries"):
        compare(n_queries=0).penalty_matrix()


def test_comparisons_are_compared_by_identity():
    comparison = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 2})
    assert comparison in {comparison}
    assert comparison != synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 2})


def test_a_strategy_against_itself_is_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(0)

    def share_rejected(better):
        """Share of 200 trials in which random-walk curves of seeds of their own are told apart."""
        found = 0
        for _ in range(200):
            curves = {name: 0.5 + rng.normal(0, 0.02, (5, 4)).cumsum(1) for name in ("random", "other")}
            curves["other"] += better
            found += synthetic(curves).summary().loc["other", "p_value"] < 0.05
        return found / 200

    assert 0.02 <= share_rejected(0) <= 0.08
    assert share_rejected(0.1) >= 0.8
