"""Quality of labels: agreement, report and the live learning curve.

Public are the functions of `agreement`. One label per item out of several people's: `alkit.crowd`.
"""
