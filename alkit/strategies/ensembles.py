"""Ensembles that people already have, as posterior samples: forests, bagging, voting, and others with ``estimators_``.

Each member is one sample, with the same weight. Boosting by regressors (`GradientBoostingClassifier`) has members that
predict no classes, and one-vs-rest and chains have members for a part of the question each: these are not counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import BaggingClassifier, BaseEnsemble
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.utils.validation import validate_data

from alkit.rows import Rows, n_rows

_OF_PARTS = (OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier, MultiOutputClassifier, ClassifierChain)


def members_of(model: Any) -> list[Any]:
    """Return the fitted members of an ensemble of classifiers, and none of any other model.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    list of classifier

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    >>> from alkit.strategies.ensembles import members_of
    >>> X, y = load_iris(return_X_y=True)
    >>> models = RandomForestClassifier(7), GradientBoostingClassifier(n_estimators=2)
    >>> [len(members_of(model.fit(X, y))) for model in models]
    [7, 0]
    """
    members = fitted_inside(model)
    if not members or not hasattr(model, "classes_") or isinstance(model, _OF_PARTS):
        return []
    # an estimator that predicts by one of them alone keeps the others for another purpose
    by_one_alone = any(member is getattr(model, "estimator_", None) for member in members)
    predict_classes = all(hasattr(member, "classes_") for member in members)
    return members if predict_classes and not by_one_alone else []


def fitted_inside(model: Any) -> list[Any]:
    """Return the estimators that an ensemble has fitted, in one list; an array of them is that of gradient boosting."""
    members = getattr(model, "estimators_", ())
    return members.ravel().tolist() if isinstance(members, np.ndarray) else list(members)


def members_have_proba(members: list[Any]) -> bool:
    """Tell whether all members of an ensemble say how probable each class is."""
    return bool(members) and all(hasattr(member, "predict_proba") for member in members)


def member_proba(model: Any, X: Rows) -> Any:
    """Return what each member thinks of each class.

    Parameters
    ----------
    model : fitted ensemble
    X : rows

    Returns
    -------
    array (n, K, C), or a list of them
        Columns in the order of ``model.classes_``; a class that a member has not met is a zero. Of several outputs, one
        array for each.
    """
    members = members_of(model)
    if _has_several_outputs(model):
        of_members = [member.predict_proba(rows_for_member(model, k, X)) for k, member in enumerate(members)]
        return [np.stack(of_output, axis=1) for of_output in zip(*of_members, strict=True)]
    samples = np.zeros((n_rows(X), len(members), len(model.classes_)), dtype=np.float32)
    for k, (member, columns) in enumerate(zip(members, _columns(model, members), strict=True)):
        samples[:, k, columns] = member.predict_proba(rows_for_member(model, k, X))
    return samples


def member_votes(model: Any, X: Rows) -> np.ndarray:
    """Return what each member predicts, as a one for its class: (n, K, C), see `member_proba`."""
    members = members_of(model)
    votes = np.zeros((n_rows(X), len(members), len(model.classes_)), dtype=np.float32)
    for k, (member, columns) in enumerate(zip(members, _columns(model, members), strict=True)):
        predicted = np.asarray(member.predict(rows_for_member(model, k, X)))
        votes[:, k, columns] = predicted[:, None] == np.asarray(member.classes_)
    return votes


def committee_votes(committee: Any, X: Rows) -> np.ndarray:
    """Return what each learner of a Committee predicts, as a one for its class: (n, K, C); labels as they are."""
    committee._set_classes()
    predicted = np.asarray(committee.vote(X))
    if predicted.ndim == 3:
        return predicted.astype(np.float32)
    return (predicted[:, :, None] == committee.classes_).astype(np.float32)


def _has_several_outputs(model: Any) -> bool:
    """Tell whether an ensemble answers several questions of each row, as forests may: its members do so as well."""
    return isinstance(model.classes_, list)


def _columns(model: Any, members: list[Any]) -> list[np.ndarray]:
    """Return, for each member, the column of each of its classes in what the ensemble predicts.

    Some ensembles train their members on labels (AdaBoost), others on the positions of labels (bagging, forests,
    voting). Positions are all met by one member or another, and so tell themselves from labels; but for bagging, where
    every bootstrap sample may miss a class.
    """
    position = {label: i for i, label in enumerate(np.asarray(model.classes_).tolist())}
    known = [np.asarray(member.classes_).tolist() for member in members]
    labels = not isinstance(model, BaggingClassifier) and position.keys() >= {label for of in known for label in of}
    return [np.array([position[label] if labels else int(label) for label in of]) for of in known]


def rows_for_member(model: Any, k: int, X: Rows) -> Rows:
    """Return rows as the ensemble hands them to a member: its own features, of a table without names."""
    if isinstance(model, BaseEnsemble):
        # the ensemble has seen to names and width, and its members know of none
        validate_data(model, X, reset=False, skip_check_array=True)
        X = X.to_numpy() if isinstance(X, pd.DataFrame) else X
    features = getattr(model, "estimators_features_", None)
    if features is None:
        return X
    return (X if hasattr(X, "shape") else np.asarray(X))[:, features[k]]
