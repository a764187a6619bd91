"""modAL-python 0.4.1 on today's numpy, pandas and scikit-learn: the only file that repairs modAL.

Every repair is one small function with a docstring that says what is broken and since when (where it does not, since
modAL 0.4.1 itself). It runs in place of modAL's function, receives that function first, and still calls it for all
that it does right: arrays and sparse matrices keep modAL's own code, and a modAL that needs no help is not changed.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from modAL import batch, multilabel
from modAL.models import base, learners
from modAL.utils import data

from alkit.rows import Rows, n_rows, stack, take

_PANDAS = (pd.DataFrame, pd.Series)


@cache
def repair() -> None:
    """Make modAL's learners and strategies work; ``import alkit`` calls this, and a second call does nothing.

    Functions are replaced in every module of modAL that imported them by name. What a script took out of
    ``modAL.utils.data`` before ``import alkit`` stays as it was.

    Examples
    --------
    >>> from alkit._modal import repair
    >>> repair()
    >>> from modAL.expected_error import expected_error_reduction
    """
    expected_error = _import_expected_error()
    for owner, name, repaired in (
        (base, "check_X_y", _check_X_y),
        (data, "data_vstack", _data_vstack),
        (data, "data_hstack", _data_hstack),
        (data, "data_shape", _data_shape),
        (data, "retrieve_rows", _retrieve_rows),
        (data, "drop_rows", _drop_rows),
        (data, "enumerate_data", _enumerate_data),
        (data, "add_row", _add_row),
        (batch, "select_cold_start_instance", _select_cold_start_instance),
        (batch, "select_instance", _select_instance),
        (batch, "ranked_batch", _ranked_batch),
        (expected_error, "expected_error_reduction", _expected_error_reduction),
        (multilabel, "_SVM_loss", _svm_loss),
        (base.BaseLearner, "__init__", _learner_init),
        (learners.BayesianOptimizer, "__init__", _optimizer_init),
        (learners.BayesianOptimizer, "_set_max", _set_max),
        (learners.Committee, "_set_classes", _set_classes),
        (learners.Committee, "fit", _committee_fit),
        (learners.Committee, "vote", _vote),
        (learners.Committee, "vote_proba", _vote_proba),
        # alkit's learners override these two, and the two votes above: the repairs are for modAL's own classes
        (base.BaseLearner, "_fit_to_known", _fit_to_known),
        (base.BaseLearner, "_fit_on_new", _fit_on_new),
    ):
        _replace(owner, name, repaired)


def _replace(owner: Any, name: str, repaired: Callable[..., Any]) -> None:
    """Run ``repaired(original, ...)`` in place of ``owner.name``, under the original's name and signature."""
    original = getattr(owner, name)

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return repaired(original, *args, **kwargs)

    setattr(owner, name, call)
    if isinstance(owner, ModuleType):
        # modules that imported the function by name hold it themselves
        for key, module in list(sys.modules.items()):
            if key.split(".")[0] != "modAL":
                continue
            if vars(module).get(name) is original:
                setattr(module, name, call)


def _import_expected_error() -> ModuleType:
    """Import modAL.expected_error, whose signature names ``np.float``: gone since numpy 1.24.

    The name is lent for this one import, and only to a numpy without it. Compiling the module also warns that
    ``loss is 'binary'`` compares identity (a SyntaxWarning since Python 3.8), which -W error makes an error.
    """
    lend = "float" not in vars(np)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        if lend:
            vars(np)["float"] = float
        try:
            return importlib.import_module("modAL.expected_error")
        finally:
            if lend:
                del vars(np)["float"]


def _check_X_y(original: Callable, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - scikit-learn's name
    """``force_all_finite`` is ``ensure_all_finite`` since scikit-learn 1.6, and gone since 1.8."""
    if "force_all_finite" in kwargs:
        kwargs["ensure_all_finite"] = kwargs.pop("force_all_finite")
    return original(*args, **kwargs)


def _data_vstack(original: Callable, blocks: Sequence[Rows]) -> Rows:
    """``DataFrame.append`` is gone since pandas 2.0; a Series, such as labels, was never stacked."""
    return stack(blocks) if isinstance(blocks[0], _PANDAS) else original(blocks)


def _data_hstack(original: Callable, blocks: Sequence[Rows]) -> Rows:
    """Stacked DataFrames are not returned, and the TypeError for other blocks is made but not raised."""
    if all(isinstance(block, pd.DataFrame) for block in blocks):
        return pd.concat(blocks, axis=1)
    stacked = original(blocks)
    if stacked is None:
        raise TypeError(f"{type(blocks[0]).__name__} blocks cannot be put side by side; pass arrays or DataFrames")
    return stacked


def _data_shape(original: Callable, X: Rows) -> tuple[int, ...]:
    """A Series has a shape, which it is not asked for."""
    return X.shape if isinstance(X, pd.Series) else original(X)


def _retrieve_rows(original: Callable, X: Rows, I: Any) -> Rows:  # noqa: E741 - modAL's name
    """A Series is refused, and a list goes through an array, which ragged rows cannot since numpy 1.24."""
    return take(X, I) if isinstance(X, (*_PANDAS, list)) else original(X, I)


def _drop_rows(original: Callable, X: Rows, I: Any) -> Rows:  # noqa: E741 - modAL's name
    """Rows of a DataFrame are dropped by index label, although `I` holds positions."""
    if not isinstance(X, _PANDAS):
        return original(X, I)
    kept = np.delete(np.arange(len(X)), I)
    return take(X, kept)


def _enumerate_data(original: Callable, X: Rows) -> Iterator[tuple[int, Any]]:
    """Rows of a DataFrame are counted by index label, which expected error then takes for a position."""
    if not isinstance(X, _PANDAS):
        return original(X)
    return ((i, X.iloc[i]) for i in range(len(X)))


def _add_row(original: Callable, X: Rows, row: Any) -> Rows:
    """A Series is not a row to pandas' stacking; a text, and a row of more than one dimension, not to numpy's."""
    if isinstance(X, pd.DataFrame) and not isinstance(row, pd.DataFrame):
        values = np.reshape(np.asarray(row), (-1, X.shape[1]))
        frame = pd.DataFrame(values, columns=X.columns).astype(dict(X.dtypes))
        return stack([X, frame])
    if isinstance(X, pd.Series) or (isinstance(X, list) and np.ndim(row) == 0):
        return stack([X, [row]])
    if isinstance(X, np.ndarray):
        rows = np.reshape(np.asarray(row), (-1, *X.shape[1:]))
        return np.concatenate([X, rows])
    return original(X, row)


def _as_matrix(X: Rows) -> Any:
    """Return X as modAL's batch strategies index and reshape it: an (N, D) array or a CSR matrix."""
    if sp.issparse(X):
        return X.tocsr()
    values = np.asarray(X)
    return values.reshape(len(values), -1)


def _select_cold_start_instance(original: Callable, X: Rows, *args: Any, **kwargs: Any) -> Any:
    """``X[i].reshape(1, -1)`` looks up a column of a DataFrame, and fails on a list."""
    index, _ = original(_as_matrix(X), *args, **kwargs)
    return index, take(X, [index])


def _select_instance(original: Callable, X_training: Rows, X_pool: Rows, *args: Any, **kwargs: Any) -> Any:
    """``X_pool[mask]`` picks columns of a DataFrame, which has no ``reshape`` either."""
    index, _, mask = original(_as_matrix(X_training), _as_matrix(X_pool), *args, **kwargs)
    return index, take(X_pool, [index]), mask


def _ranked_batch(original: Callable, classifier: Any, unlabeled: Rows, *args: Any, **kwargs: Any) -> np.ndarray:
    """Pools and training data that are DataFrames or lists fail; matrices of the same rows do not."""
    transform = classifier.transform_without_estimating if classifier.on_transformed else lambda X: X
    known = classifier.X_training
    matrix = None
    if known is not None and n_rows(known) > 0:
        matrix = _as_matrix(transform(known))
    # all that modAL's function reads of a learner; the rows are transformed already
    view = SimpleNamespace(on_transformed=False, X_training=matrix)
    return original(view, _as_matrix(transform(unlabeled)), *args, **kwargs)


def _expected_error_reduction(
    original: Callable, learner: Any, X: Rows, loss: str = "binary", *args: Any, **kwargs: Any
) -> np.ndarray:
    """``loss is 'binary'`` misses an equal string made at run time, such as one read from a file.

    The literal in modAL's code is interned: so is the string it gets.
    """
    return original(learner, X, sys.intern(str(loss)), *args, **kwargs)


def _svm_loss(original: Callable, multiclass_classifier: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    """``classes_`` is asked of the learner, and modAL's has none: max_loss fails when it is queried with."""
    if not hasattr(multiclass_classifier, "classes_"):
        multiclass_classifier = multiclass_classifier.estimator
    return original(multiclass_classifier, *args, **kwargs)


def _learner_init(original: Callable, self: Any, *args: Any, **kwargs: Any) -> None:
    """``bootstrap_init`` is not stored, so ``get_params``, ``repr`` and ``clone`` raise."""
    bound = inspect.signature(original).bind(self, *args, **kwargs)
    self.bootstrap_init = bound.arguments.get("bootstrap_init", False)
    original(self, *args, **kwargs)


def _resample(X: Rows, y: Rows) -> tuple[Rows, Rows]:
    """Draw as many rows as there are, with replacement."""
    # from numpy's global generator, as modAL does, so that scripts with a seed keep their rows
    rows = np.random.choice(range(n_rows(X)), n_rows(X), replace=True)  # noqa: NPY002
    return take(X, rows), take(y, rows)


def _fit_to_known(original: Callable, self: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Any:
    """``X[bootstrap_idx]`` picks columns of a DataFrame and labels of a Series, and fails on a list."""
    if not bootstrap:
        return original(self, **fit_kwargs)
    self.estimator.fit(*_resample(self.X_training, self.y_training), **fit_kwargs)
    return self


def _fit_on_new(original: Callable, self: Any, X: Rows, y: Rows, bootstrap: bool = False, **fit_kwargs: Any) -> Any:
    """The same as in ``_fit_to_known``; besides, bootstrapping forgets `fit_kwargs`."""
    if bootstrap:
        X, y = _resample(X, y)
    return original(self, X, y, **fit_kwargs)


def _optimizer_init(original: Callable, *args: Any, **kwargs: Any) -> None:
    """``y_training[position]`` looks up a label of a Series.

    The original also calls ``super(BayesianOptimizer, self)``, which never ends once a subclass takes that name
    in modAL's module. Both go by leaving the maximum to ``_set_max``.
    """
    bound = inspect.signature(original).bind(*args, **kwargs)
    bound.apply_defaults()
    base.BaseLearner.__init__(*bound.args, **bound.kwargs)
    self = bound.arguments["self"]
    self.X_max, self.y_max = None, -np.inf
    if self.y_training is not None:
        self._set_max(self.X_training, self.y_training)


def _set_max(original: Callable, self: Any, X: Rows, y: Rows) -> None:
    """``y[position]`` looks up a label of a Series."""
    original(self, X, y.to_numpy() if isinstance(y, _PANDAS) else y)


def _set_classes(original: Callable, self: Any) -> None:
    """``np.unique(axis=0)`` refuses objects until numpy 2.4, and classes of strings often are objects."""
    try:
        original(self)
    except TypeError:
        of_learners = [learner.estimator.classes_ for learner in self.learner_list]
        self.classes_ = np.unique(np.concatenate(of_learners))
        self.n_classes_ = len(self.classes_)


def _committee_fit(original: Callable, self: Any, *args: Any, **kwargs: Any) -> Any:
    """None is returned in place of the committee."""
    original(self, *args, **kwargs)
    return self


def _vote(original: Callable, self: Any, X: Rows, **predict_kwargs: Any) -> np.ndarray:
    """Votes are written into an array of floats, which strings cannot be; they keep the labels' own type."""
    return np.stack([learner.predict(X, **predict_kwargs) for learner in self.learner_list], axis=1)


def _vote_proba(original: Callable, self: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    """Where all learners order their classes alike, columns keep that order, even if ``classes_`` has another."""
    proba_N_K_C = original(self, *args, **kwargs)
    estimators = [learner.estimator for learner in self.learner_list]
    alike = learners.check_class_labels(*estimators)
    if alike and not np.array_equal(estimators[0].classes_, self.classes_):
        order = np.argsort(estimators[0].classes_)
        proba_N_K_C = proba_N_K_C[:, :, order]
    return proba_N_K_C
