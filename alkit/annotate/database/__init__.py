"""The database of labels: its tables, what may be written, and which item an annotator is given.

All of it is private: `alkit.annotate.LabelingSession` is the entry.
"""
