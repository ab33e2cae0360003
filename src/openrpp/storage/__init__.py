"""What is kept on disk between processes: a content-keyed cache.

>>> Cache().fetch("object", digest("a source", "its options"), lambda: b"what takes long to make")
"""

from __future__ import annotations

from openrpp.storage.cache import Cache, CacheError, Entry, default_root, digest

__all__ = ["Cache", "CacheError", "Entry", "default_root", "digest"]
