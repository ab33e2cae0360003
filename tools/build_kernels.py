"""Build hook of the wheel: the kernel library as kernel IR, so that models run where no clang is.

An editable installation needs none of it: the library compiles its sources when they are first asked for.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).parents[1] / "src"


class KernelLibrary(BuildHookInterface[Any]):
    """Adds `openrpp/kernels/kir` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile all sources before the wheel is put together."""
        if version == "editable":
            return
        sys.path.insert(0, str(SOURCE))
        try:
            from openrpp.cuda import CudaError
            from openrpp.kernels import library

            folder = Path(tempfile.mkdtemp(prefix="openrpp-kernels-"))
            for source in library.names():
                for symbol, text in library.texts(source).items():
                    path = folder / f"{source}-{symbol}.kir"
                    path.write_text(text, encoding="utf-8")
                    build_data["force_include"][str(path)] = f"openrpp/kernels/kir/{source}/{symbol}.kir"
        except (ImportError, CudaError) as error:
            raise SystemExit(f"openrpp: the kernel library cannot be compiled for the wheel: {error}") from None
        finally:
            sys.path.remove(str(SOURCE))
