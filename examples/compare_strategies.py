# %% [markdown]
# # Which strategy saves how many labels, and can that be trusted?
#
# A small convolutional network on Fashion-MNIST. 2,000 pictures are labelled to begin with, then 100 a round; each seed
# starts all strategies from the same 2,000. (Without Fashion-MNIST, which Debian's `dataset-fashion-mnist` and OpenML
# have, it is handwritten digits.)
#
# As a script, `python compare_strategies.py` in this folder takes about 20 minutes on 2 cores and saves
# `compare_strategies.png`. Finished runs are kept in the folder `runs`: if it is stopped, it goes on from there.

# %%
import matplotlib.pyplot as plt
import pandas as pd
from data import pictures
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from alkit import NetClassifier, compare_strategies
from alkit.experiment import LearningCurveDisplay, PenaltyMatrixDisplay, evaluate_transfer

pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)

# %% tags=["parameters"]
DATA = "fashion"
STRATEGIES = ["random", "margin", "bald"]
N_SEEDS, N_INITIAL, N_INSTANCES, N_QUERIES, MAX_EPOCHS = 5, 2000, 100, 20, None


# %%
class ConvNet(nn.Sequential):
    """Two strided convolutions and a linear layer, with the dropout that BALD needs."""

    def __init__(self, n_classes):
        convolutions = [nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
        super().__init__(*convolutions, nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(n_classes))


rows = pictures(DATA)
n_rows = len(rows["X"])  # of which handwritten digits are 1,078
network = NetClassifier(ConvNet, lr=0.002, max_epochs=MAX_EPOCHS)
comparison = compare_strategies(
    network,
    **rows,
    strategies=STRATEGIES,
    n_seeds=N_SEEDS,
    n_initial=min(N_INITIAL, n_rows // 20),
    n_instances=min(N_INSTANCES, n_rows // 50),
    n_queries=N_QUERIES,
    n_jobs=2,
    store="runs",
)

# %% [markdown]
# ## What each strategy gave
#
# `area` is the mean accuracy over the labels acquired, `gain` its difference to random picks, seed by seed, with a 95 %
# interval and a p-value that is corrected for testing several strategies. `area_std` says how much seeds differ.

# %%
summary = comparison.summary()
print(summary[["area", "area_std", "gain", "gain_low", "gain_high", "p_value"]])

# %% [markdown]
# `saved` is the share of labels a strategy did without on its way to what random picks reach at the end; it is
# negative for one that needs more labels than they do.

# %%
print(summary[["final", "labels_to_target", "reached", "saved", "saved_low", "saved_high"]])
print(summary[["query_seconds", "fit_seconds"]])

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
LearningCurveDisplay.from_comparison(comparison, ax=left, score_name="accuracy on the test set")
PenaltyMatrixDisplay.from_comparison(comparison, ax=right)
left.set_title("Mean of seeds and its 95 % interval")
figure.savefig("compare_strategies.png", dpi=110)

# %% [markdown]
# ## Do the labels serve another model?
#
# The network chose them; a forest learns from them. Labels outlive the model they were acquired for.

# %%
flat = FunctionTransformer(lambda X: X.reshape(len(X), -1))
learned = evaluate_transfer(comparison, make_pipeline(flat, RandomForestClassifier(50)), **rows, n_jobs=2)
last = learned[learned["round"] == learned["round"].max()]
print(last.groupby("strategy")["score"].agg(["mean", "std"]))
