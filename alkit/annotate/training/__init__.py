"""The model that learns while people label: its job, its process, what it does there, and a default for each data.

What is here is private, except `alkit.annotate.UnreadableRows`, which comes from `alkit.annotate.training.pictures`.
"""
