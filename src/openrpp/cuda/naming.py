"""Finding kernels and variables by the names that the source gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from openrpp.cuda.errors import CudaError
from openrpp.cuda.reader import DeviceModule
from openrpp.isa.suggest import did_you_mean
from openrpp.kir.types import Space


class Names:
    """Names of a module. `expressions` maps name expressions to symbols."""

    def __init__(self, label: str, device: DeviceModule, expressions: Mapping[str, str]) -> None:
        self._label = label
        self._device = device
        self._symbols: dict[str, list[str]] = {}
        self._labels: dict[str, str] = {}
        for name, symbols in device.names.items():
            for symbol in symbols:
                self._labels[symbol] = name
                for known in dict.fromkeys((symbol, _plain(name), _plain(qualified(symbol)), _base(name))):
                    self._symbols.setdefault(known, []).append(symbol)
        for text, symbol in expressions.items():
            self._symbols[_plain(text)] = [symbol]
            self._labels[symbol] = text

    @property
    def kernels(self) -> tuple[str, ...]:
        """Kernels as messages call them."""
        return tuple(self._labels.values())

    def label(self, symbol: str) -> str:
        """What messages call a kernel."""
        return self._labels.get(symbol, symbol)

    def kernel(self, name: str) -> str:
        """The symbol of a kernel. Raises CudaError, and UnsupportedError for one that has no kernel IR."""
        found = self._symbols.get(name) or self._symbols.get(_plain(name), [])
        if not found:
            raise CudaError(f"{self._label} has no kernel '{name}'{self._hint(name)}")
        if len(found) > 1:
            several = ", ".join(f"'{self.label(symbol)}' ({symbol})" for symbol in found)
            raise CudaError(f"{self._label} has several kernels '{name}': {several}; name one of them")
        refused = self._device.refused.get(found[0])
        if refused is not None:
            raise refused
        return found[0]

    def _hint(self, name: str) -> str:
        there = f"; it has {', '.join(self.kernels)}" if self.kernels else "; it has none"
        if "<" in name:
            return f"{there}; an instance of a template must be among the name_expressions"
        if not self.kernels:
            return f"{there}: templates count once they are instantiated, or named by name_expressions"
        return did_you_mean(name, self.kernels) + there

    def variable(self, name: str) -> str:
        """The symbol of a device or constant variable. Raises CudaError."""
        variables = {
            item.name: qualified(item.name)
            for item in self._device.module.globals.values()
            if item.space is not Space.SHARED
        }
        found = [symbol for symbol, plain in variables.items() if name in (symbol, plain, plain.rpartition("::")[2])]
        if len(found) == 1:
            return found[0]
        if found:
            raise CudaError(f"{self._label} has several variables '{name}': {_texts(variables[s] for s in found)}")
        shown = [plain for plain in variables.values() if not re.match(r"str\d*$|__", plain)]  # literals, our headers
        short = [plain.rpartition("::")[2] for plain in shown]
        hint = did_you_mean(name, [*shown, *short]) or f"; it has {_texts(shown)}"
        raise CudaError(f"{self._label} has no variable '{name}' in device or constant memory{hint}")


def _texts(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _plain(name: str) -> str:
    """A name without blanks that mean nothing."""
    return re.sub(r"\s*([^\w\s])\s*", r"\1", name.strip())


def _base(name: str) -> str:
    return _plain(name).partition("<")[0]


def qualified(symbol: str) -> str:
    """The name that a symbol stands for, with its namespaces; the symbol itself where it is no mangled name."""
    if not re.match(r"_ZN?L?\d", symbol):
        return symbol
    nested = symbol.startswith("_ZN")
    rest, parts = symbol.removeprefix("_Z").removeprefix("N"), list[str]()
    while part := re.match(r"L?(?P<size>\d+)", rest):
        size, start = int(part["size"]), part.end()
        parts.append(rest[start : start + size].replace("_GLOBAL__N_1", "(anonymous namespace)"))
        rest = rest[start + size :]
        if not nested:
            break
    return "::".join(parts) or symbol
