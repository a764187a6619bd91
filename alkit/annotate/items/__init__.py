"""Items to be labelled: read from a file or a folder, and checked before they are shown.

`Items` is what the rest of the package works with, `read_items` makes them from a file. What is not in ``__all__`` is
private: one file per kind of file that is read (`_delimited`, `_json_lines`, `_excel`, `_folder`), and one for what all
of them share (`_table`, `_encoding`, `_pictures`, `_cells`).
"""

from alkit.annotate.items._collection import Items
from alkit.annotate.items._difference import Changes, compare, difference
from alkit.annotate.items._encoding import decode
from alkit.annotate.items._json_lines import read_json_lines
from alkit.annotate.items._pictures import picture_type, printable
from alkit.annotate.items._read import read_items, read_table

__all__ = [
    "Changes",
    "Items",
    "compare",
    "decode",
    "difference",
    "picture_type",
    "printable",
    "read_items",
    "read_json_lines",
    "read_table",
]
