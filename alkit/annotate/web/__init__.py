"""The labelling page, over HTTP and in a notebook.

Public are `alkit.annotate.web.server.make_app`, `alkit.annotate.web.server.serve` and `alkit.annotate.LabelingWidget`.
"""
