"""Tables as their files have them: cells as they are written, and where each row stands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

# "01067" is no number but a code; neither is "nan"
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Table:
    """Rows of a file, cell by cell as it has them.

    Parameters
    ----------
    names : list of str
        Columns, all different.
    rows : list of dict
        Values by name; a row may lack some.
    places : list of str
        Where each row stands in the file, e.g. "row 3 (line 5)".
    how : str
        How the file was read, e.g. "UTF-8, separated by commas".
    """

    names: list[str]
    rows: list[dict[str, Any]]
    places: list[str]
    how: str

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column, None where there is none.

        Parameters
        ----------
        name : str

        Returns
        -------
        list
        """
        return [row.get(name) for row in self.rows]

    def take(self, kept: Sequence[int]) -> Table:
        """Return some of the rows.

        Parameters
        ----------
        kept : sequence of int
            Numbers of rows, from 0.

        Returns
        -------
        Table
        """
        return Table(self.names, [self.rows[i] for i in kept], [self.places[i] for i in kept], self.how)

    def frame(self, names: Sequence[str]) -> pd.DataFrame:
        """Return columns as a model is given them: those whose cells are all written as numbers become numbers.

        Parameters
        ----------
        names : sequence of str

        Returns
        -------
        DataFrame
            In columns of numbers, empty cells are NaN.
        """
        return pd.DataFrame({name: _as_numbers(self.column(name)) for name in names})


def check_names(names: Sequence[str]) -> None:
    """Refuse a header that names two columns alike.

    Parameters
    ----------
    names : sequence of str

    Raises
    ------
    ValueError
        Names the columns by number, from 1.
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name in first:
            said = f"are both named {name!r}" if name else "have no name"
            raise ValueError(f"columns {first[name]} and {number} {said} in the header; rename one, or drop it")
        first[name] = number


def _as_numbers(cells: list[Any]) -> list[Any]:
    """Return texts that are all numbers as numbers, anything else as it is."""
    filled = [cell for cell in cells if cell != ""]
    if not filled or not all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in filled):
        return cells
    numbers = [math.nan if cell == "" else float(cell) for cell in cells]
    return cells if any(map(math.isinf, numbers)) else numbers
