"""Quality of labels: agreement, aggregation, report and the live learning curve.

Public are the functions and classes of `aggregation` and `agreement`.
"""
