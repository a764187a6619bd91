"""Active learning for PyTorch networks, in scikit-learn's habits."""

__version__ = "0.1.0"
