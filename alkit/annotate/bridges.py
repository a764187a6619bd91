"""The address that 0.1.0 gave these functions; they are in `alkit.annotate.formats`."""

from alkit.annotate.formats import (
    from_prodigy,
    read_csv,
    read_jsonl,
    read_prodigy,
    to_prodigy,
    write_csv,
    write_jsonl,
    write_prodigy,
)

__all__ = [
    "from_prodigy",
    "read_csv",
    "read_jsonl",
    "read_prodigy",
    "to_prodigy",
    "write_csv",
    "write_jsonl",
    "write_prodigy",
]
