# %% [markdown]
# # A query strategy is a parameter like any other
#
# Search over strategies and learning rates at once, on handwritten digits. As a script, `python
# grid_search_strategies.py` takes about a minute on 2 cores.

# %%
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from alkit import ActiveLearningClassifier, DropoutMLPClassifier, get_strategy
from alkit.experiment import area_under_learning_curve

# %% tags=["parameters"]
N_ROWS, N_QUERIES, MAX_EPOCHS = None, 20, 40

# %% [markdown]
# The score is the mean height of the learning curve: what was good all along, not only at the end.

# %%
X, y = load_digits(return_X_y=True)
network = DropoutMLPClassifier(max_epochs=MAX_EPOCHS, batch_size=32)
search = GridSearchCV(
    ActiveLearningClassifier(network, n_queries=N_QUERIES, random_state=0),
    {
        "query_strategy": ["random", "margin", "badge", get_strategy("bald", n_samples=50)],
        "estimator__lr": [0.001, 0.01],
    },
    scoring=area_under_learning_curve,
    cv=3,
    n_jobs=2,
).fit(X[:N_ROWS] / 16, y[:N_ROWS])

# %%
table = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
columns = ["param_query_strategy", "param_estimator__lr", "mean_test_score", "std_test_score", "mean_fit_time"]
print(table[columns].round(3).to_string(index=False))
print(f"\nbest: {search.best_params_}")
