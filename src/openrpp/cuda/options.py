"""How a source is compiled: the options of `rpp run` and `RawModule`, in the spelling of nvcc and NVRTC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from openrpp.cuda.errors import ToolchainError
from openrpp.isa.suggest import did_you_mean

STANDARDS = ("c++11", "c++14", "c++17", "c++20", "c++23")

_IGNORED: Final = ("-lineinfo", "--generate-line-info", "-G", "-g", "-w", "--device-debug", "-rdc=true", "-rdc=false")
_IGNORED_STARTS: Final = ("-arch", "--gpu-architecture", "-gencode", "--generate-code", "-O", "-code", "-Xptxas",
                          "-maxrregcount")  # fmt: skip
_WITH_VALUE: Final = {
    "-D": "-D",
    "--define-macro": "-D",
    "-U": "-U",
    "--undefine-macro": "-U",
    "-I": "-I",
    "--include-path": "-I",
    "-include": "-include",
    "--pre-include": "-include",
    "-std": "-std",
    "--std": "-std",
}
_NAMES: Final = (*_IGNORED, *_WITH_VALUE, "-fmad", "--fmad", "-use_fast_math", "--use_fast_math")


@dataclass(frozen=True)
class Options:
    """Compile options.

    `contract` lets `a * b + c` within one expression become one fused multiply-add (nvcc's default); without it every
    operation rounds by itself, which is what the published chip can do in float32. `fast_math` makes `sinf` mean
    `__sinf` and so on, and nothing else: no option lets the compiler reorder arithmetic. `program` is for sources with
    a `main`, which expect the C library's headers to be there without being included.
    """

    standard: str = "c++17"
    macros: tuple[str, ...] = ()  # '-DNAME=VALUE' and '-UNAME', in order
    include_dirs: tuple[Path, ...] = ()
    pre_includes: tuple[str, ...] = ()
    contract: bool = True
    fast_math: bool = False
    program: bool = False

    @classmethod
    def from_flags(cls, flags: Sequence[str]) -> Options:
        """Options from flags as nvcc and NVRTC take them. Raises ToolchainError for one that is not known.

        Architecture, optimisation level and debug flags are accepted and mean nothing here.
        """
        options = cls()
        for name, value in _pairs(flags):
            options = options._with(name, value)
        return options

    def _with(self, name: str, value: str) -> Options:
        match name:
            case "-D" | "-U":
                return replace(self, macros=(*self.macros, name + value))
            case "-I":
                return replace(self, include_dirs=(*self.include_dirs, Path(value)))
            case "-include":
                return replace(self, pre_includes=(*self.pre_includes, value))
            case "-std":
                return replace(self, standard=_standard(value))
            case "-fmad":
                return replace(self, contract=_truth(name, value))
            case _:
                return replace(self, fast_math=True)

    def arguments(self) -> list[str]:
        """The arguments for clang, but for the macros of `definitions`."""
        found = [f"-std={self.standard}", f"-ffp-contract={'on' if self.contract else 'off'}"]
        found += [macro for macro in self.macros if _is_reserved(macro)]
        if self.fast_math:
            found.append("-D__USE_FAST_MATH__=1")
        if self.program:
            found.append("-DRPP_PROGRAM=1")
        for folder in self.include_dirs:
            found += ["-I", str(folder)]
        return found

    def pre_included(self) -> list[str]:
        """The arguments for clang that include files in front of the source."""
        return [word for header in self.pre_includes for word in ("-include", header)]

    def definitions(self) -> str:
        """The other macros as source text: our own headers must not see what a program calls T or size."""
        return "".join(_directive(macro) for macro in self.macros if not _is_reserved(macro))


def _is_reserved(macro: str) -> bool:
    """Whether a macro has a name that no program's own code may use; such macros speak to headers."""
    return macro[2:3] == "_"


def _directive(macro: str) -> str:
    kind, (name, equals, value) = macro[:2], macro[2:].partition("=")
    return f"#undef {name}\n" if kind == "-U" else f"#define {name} {value if equals else 1}\n"


def _pairs(flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(canonical name, value) of each flag that means something."""
    rest = iter(flags)
    for flag in rest:
        name, equals, value = flag.partition("=")
        if flag in ("-use_fast_math", "--use_fast_math"):
            yield "-use_fast_math", ""
        elif name in ("-fmad", "--fmad"):
            yield "-fmad", value
        elif name in _WITH_VALUE:
            yield _WITH_VALUE[name], value if equals else _value(name, rest)
        elif flag[:2] in ("-D", "-U", "-I"):
            yield flag[:2], flag[2:]
        elif flag not in _IGNORED and not flag.startswith(_IGNORED_STARTS):
            raise ToolchainError(f"compile option '{flag}' is not known{did_you_mean(flag, _NAMES)}")


def _value(name: str, rest: Iterator[str]) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise ToolchainError(f"compile option '{name}' lacks its value") from None


def _standard(value: str) -> str:
    if value not in STANDARDS:
        raise ToolchainError(f"-std={value} is not known; allowed: {', '.join(STANDARDS)}")
    return value


def _truth(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise ToolchainError(f"{name}={value} is not known; allowed: true, false")
    return value == "true"
