"""The file beside the database that holds the model as of its last fit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cloudpickle

from alkit.annotate.database.connect import model_path
from alkit.annotate.files import write_private


def write_model(database: Path, model: Any) -> None:
    """Keep a model.

    Parameters
    ----------
    database : Path
    model : estimator
    """
    write_private(model_path(database), cloudpickle.dumps(model))


def read_model(database: Path) -> Any:
    """Return the model as of the last fit; its file is unpickled, which runs whatever code is in it.

    Parameters
    ----------
    database : Path

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If no model was fitted yet.
    """
    path = model_path(database)
    if not path.exists():
        raise ValueError("no model was fitted yet: two classes need labels first")
    return pickle.loads(path.read_bytes())
