"""A query strategy is a parameter like any other: search over strategies and learning rates at once.

Run it with ``python examples/grid_search_strategies.py``; it takes about a minute on 2 cores.
"""

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from alkit import ActiveLearningClassifier, DropoutMLPClassifier, get_strategy
from alkit.experiment import area_under_learning_curve

GRID = {
    "query_strategy": ["random", "margin", "badge", get_strategy("bald", n_samples=50)],
    "estimator__lr": [0.001, 0.01],
}


def main(n_rows=None, **sizes):
    X, y = load_digits(return_X_y=True)
    loop = ActiveLearningClassifier(DropoutMLPClassifier(max_epochs=40, batch_size=32), random_state=0, **sizes)
    # the mean height of the learning curve: what was good all along, not only at the end
    search = GridSearchCV(loop, GRID, scoring=area_under_learning_curve, cv=3, n_jobs=2)
    search.fit(X[:n_rows] / 16, y[:n_rows])
    table = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
    columns = ["param_query_strategy", "param_estimator__lr", "mean_test_score", "std_test_score", "mean_fit_time"]
    print(table[columns].round(3).to_string(index=False))
    print(f"\nbest: {search.best_params_}")


if __name__ == "__main__":
    main()
