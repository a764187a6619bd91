"""The model as of its last fit: in a file beside the database, on PostgreSQL within it."""

from __future__ import annotations

import pickle
from contextlib import closing
from typing import Any

import cloudpickle

from alkit.annotate.database.places import Place
from alkit.annotate.database.store import LabelStore


def write_model(store: LabelStore, model: Any) -> None:
    """Keep a model.

    Parameters
    ----------
    store : LabelStore
    model : estimator
    """
    store.keep_model(cloudpickle.dumps(model))


def read_model(database: Place) -> Any:
    """Return the model as of the last fit; it is unpickled, which runs whatever code is in it.

    Parameters
    ----------
    database : Path or PostgresUrl

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If no model was fitted yet.
    """
    with closing(LabelStore(database, read_only=True)) as store:
        content = store.kept_model()
    if content is None:
        raise ValueError("no model was fitted yet: two classes need labels first")
    return pickle.loads(content)
