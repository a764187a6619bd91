"""How networks are trained and scored: private to `alkit.nets`, but for the functions that its docstrings refer to."""
