"""The database of labels: its tables, what may be written, who is given which item."""
