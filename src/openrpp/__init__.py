"""OpenRPP: an RPP accelerator card as software."""

from importlib.metadata import version

__version__ = version("openrpp")
