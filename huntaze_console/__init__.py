"""The composition root: the only package that knows everything, and that nothing else knows."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("huntaze-console")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
