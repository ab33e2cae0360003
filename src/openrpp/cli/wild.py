"""A sentence instead of a silent crash where a kernel on the native engine reaches beyond the card's memory.

The native engine checks no bounds. An access that no memory answers ends the process by a signal; a handler in machine
code (Python cannot run then) says so and leaves with the exit code of a failed run.
"""

from __future__ import annotations

import ctypes
import signal
import sys

from openrpp.cli.errors import FAILED

_TEXT = """
@text = private constant [{size} x i8] c"{text}"
declare i64 @write(i32, ptr, i64)
declare void @_exit(i32)
define void @handler(i32 %number) {{
  %written = call i64 @write(i32 2, ptr @text, i64 {size})
  call void @_exit(i32 {code})
  ret void
}}
"""
_SENTENCE = (
    "rpp: fault: kernel {name} accessed an address outside of the card's memory; the native engine does not check "
    "addresses, {finder} finds the access\n"
)
_kept: list[object] = []


def explain_wild_accesses(kernel: str, finder: str = "--check memory") -> None:
    """Install the handler for the rest of this process; `finder` is the option that finds such accesses.

    Does nothing where signals work in another way.
    """
    if sys.platform == "win32":
        return
    from openrpp.cuda.llvm import HostCode

    data = _SENTENCE.format(name=kernel, finder=finder).encode()
    escaped = "".join(f"\\{byte:02X}" for byte in data)
    code = HostCode(_TEXT.format(size=len(data), text=escaped, code=FAILED))
    _kept.append(code)
    install = ctypes.CDLL(None).signal
    install.argtypes, install.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    for number in (signal.SIGSEGV, signal.SIGBUS):
        install(number, code.address("handler"))
