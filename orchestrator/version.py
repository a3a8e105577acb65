"""The version of the distribution; releases follow semantic versioning."""

__version__ = "0.1.0"
