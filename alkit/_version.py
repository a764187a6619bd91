"""The version, in the one place where packaging and the package read it."""

__version__ = "0.1.0"
