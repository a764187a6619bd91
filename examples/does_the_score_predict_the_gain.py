# %% [markdown]
# # Does the score of a row predict what its label gives?
#
# Train on 2,000 rows, score 10,000 others, sort them by score and cut them into 100 groups of 100. From the same
# trained weights, train one epoch more on each group alone, and see how the accuracy on the test set changes. If a
# score is good for anything, groups of high score should gain more: Pearson's correlation over the groups says how much
# of that is true. It is measured for margins, for entropies, for the true loss (which only a simulation knows) and for
# the loss that a module beside the network predicts.
#
# As a script, `python does_the_score_predict_the_gain.py` in this folder takes about 15 minutes on 2 cores and saves
# `does_the_score_predict_the_gain.png`. Pictures are Fashion-MNIST (or digits), texts are WordNet's definitions
# (Debian's `wordnet-base`).

# %%
import matplotlib.pyplot as plt
import pandas as pd
from data import glosses, pictures
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from alkit import LearningLossClassifier
from alkit.experiment import score_gain_correlation

pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 4, "display.max_rows", 100)

# %% tags=["parameters"]
DATA, GLOSSES = "fashion", "/usr/share/wordnet"
N_TRAIN, N_POOL, N_GROUPS, N_SEEDS, MAX_EPOCHS, N_TEXTS = 2000, 10_000, 100, 5, None, 22_000
SCORES = ["margin", "entropy", "ideal_loss", "learning_loss"]
SIZES = {"n_train": N_TRAIN, "n_pool": N_POOL, "n_groups": N_GROUPS, "n_seeds": N_SEEDS, "n_jobs": 2}


# %%
class ConvNet(nn.Sequential):
    """Two strided convolutions and a linear layer."""

    def __init__(self, n_classes):
        convolutions = [nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
        super().__init__(*convolutions, nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(n_classes))


def report(found):
    """Mean correlation over seeds and how much it differs between them, then each seed's own."""
    table = found.summary()
    r = table.groupby("score", sort=False)["r"]
    print(pd.DataFrame({"r": r.mean(), "sd between seeds": r.std(), "seeds": r.size(), "n": table["n"].iloc[0]}), "\n")
    print(table)


# %% [markdown]
# ## Pictures

# %%
network = LearningLossClassifier(ConvNet, loss_layers=["1", "3"], lr=0.002, max_epochs=MAX_EPOCHS)
rows = pictures(DATA)
most = {name: len(rows["X"]) // share for name, share in {"n_train": 5, "n_pool": 2, "n_groups": 25}.items()}
sizes = SIZES | {name: min(SIZES[name], size) for name, size in most.items()}  # digits are 1,078
on_pictures = score_gain_correlation(network, **rows, scores=SCORES, **sizes)
report(on_pictures)


# %% [markdown]
# ## Texts: dictionary definitions, 41 uneven classes


# %%
class TextNet(nn.Sequential):
    """Two hidden layers on what is left of the words."""

    def __init__(self, n_features, n_classes):
        hidden = [nn.Linear(n_features, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 128), nn.ReLU()]
        super().__init__(*hidden, nn.Dropout(0.5), nn.Linear(128, n_classes))


found = glosses(GLOSSES)
if found:
    texts, labels = found
    vectors = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(100, random_state=0), StandardScaler())
    network = LearningLossClassifier(TextNet, loss_layers=["1", "4"], lr=0.002, max_epochs=MAX_EPOCHS)
    step = len(texts) // N_TEXTS
    on_texts = score_gain_correlation(make_pipeline(vectors, network), texts[::step], labels[::step], SCORES, **SIZES)
    report(on_texts)

# %%
measured = {"pictures": on_pictures, "definitions": on_texts} if found else {"pictures": on_pictures}
size = 3.6 * len(SCORES), 3.4 * len(measured)
figure, axes = plt.subplots(len(measured), len(SCORES), figsize=size, layout="constrained", squeeze=False)
for row, (what, correlation) in zip(axes, measured.items(), strict=True):
    correlation.plot(ax=row)
    row[0].set_ylabel(f"{what}: gain in accuracy")
figure.savefig("does_the_score_predict_the_gain.png", dpi=90)
