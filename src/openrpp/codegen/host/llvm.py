"""The only module that touches llvmlite, which has no types: text to optimised code in memory, assembly or objects."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol, cast

from openrpp.codegen.errors import ToolchainError
from openrpp.codegen.host.tiers import TIERS, Tier, choose
from openrpp.codegen.host.tiles_machine import permitted
from openrpp.storage import digest

_FORMAT: Final = "1"  # of what a pass pipeline makes of a text
_names: Final = itertools.count()


@cache
def _binding() -> Any:
    try:
        from llvmlite import binding  # pyright: ignore
    except ImportError as error:
        raise ToolchainError("the native engine needs llvmlite: pip install 'openrpp[cuda]'") from error
    library = cast(Any, binding)
    library.initialize_all_targets()
    library.initialize_all_asmprinters()
    library.initialize_native_asmparser()
    return library


@cache
def host_tier() -> Tier:
    """The best tier of this host."""
    features = cast(dict[str, bool], dict(_binding().get_host_cpu_features()))
    present = frozenset(name for name, has in features.items() if has)
    if "amx-tile" in present and not permitted():  # asks, which must come before worker threads start
        present -= {"amx-tile"}
    return choose(present, platform.machine())


def is_runnable(tier: Tier) -> bool:
    """Whether this host can run code of a tier."""
    order = {"sse": 0, "avx2": 1, "amx-emulated": 1, "avx512": 2, "avx512-bf16": 3, "amx": 4}
    best = host_tier()
    return tier == best or (tier.name in order and best.name in order and order[tier.name] <= order[best.name])


def tier_named(name: str | None) -> Tier:
    """A tier by name, the host's for None. Raises ToolchainError."""
    if name is None:
        return host_tier()
    if name not in TIERS:
        raise ToolchainError(f"there is no host tier '{name}'; there are {', '.join(TIERS)}")
    return TIERS[name]


@cache
def _machine(tier: Tier) -> Any:
    target = _binding().Target.from_triple(tier.triple)
    return target.create_target_machine(cpu=_cpu(tier), features=tier.features, opt=3, reloc="pic", codemodel="small")


def _cpu(tier: Tier) -> str:
    """The CPU to tune for."""
    is_own = tier is host_tier() and tier.name in ("avx512", "avx512-bf16", "amx")
    return cast(str, _binding().get_host_cpu_name()) if is_own else tier.cpu


def optimised(text: str, tier: Tier) -> Any:
    """The module of a text after O3. Raises ToolchainError with LLVM's words."""
    binding, machine = _binding(), _machine(tier)
    try:
        module = binding.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise ToolchainError(f"LLVM refuses the generated code: {error}") from error
    module.triple = tier.triple
    module.data_layout = str(machine.target_data)
    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


def assembly(text: str, tier: Tier) -> str:
    """Optimised assembly."""
    return cast(str, _machine(tier).emit_assembly(optimised(text, tier)))


class ObjectStore(Protocol):
    """Where object files are kept between processes."""

    def fetch(self, kind: str, key: str, make: Callable[[], bytes]) -> bytes:
        """The entry's bytes; where it is missing, what `make` returns, which is stored. Others that ask wait."""
        ...


def object_code(text: str, tier: Tier, store: ObjectStore | None = None) -> bytes:
    """An optimised object file, from the store if it has been made before."""

    def make() -> bytes:
        return cast(bytes, _machine(tier).emit_object(optimised(text, tier)))

    return make() if store is None else store.fetch("object", digest(_FORMAT, identity(tier), text), make)


def identity(tier: Tier) -> str:
    """All that an object depends on beside its text."""
    version = ".".join(str(part) for part in cast("tuple[int, ...]", _binding().llvm_version_info))
    return f"llvm {version} {tier.triple} {_cpu(tier)} {tier.features} O3"


@cache
def _jit() -> Any:
    # JITLink lays the parts of an object side by side; the older linker may put them further apart than 2 GB can reach,
    # which happens where a card's memory lies between free places.
    return _binding().create_lljit_compiler(use_jit_link=True)


class Loaded:
    """Machine code in memory; `address` is that of the exported function, the first of several."""

    def __init__(self, code: bytes, *functions: str) -> None:
        builder = _binding().JITLibraryBuilder().add_object_img(code).add_current_process()
        for function in functions:
            builder = builder.export_symbol(function)
        self._tracker = builder.link(_jit(), f"openrpp{next(_names)}")
        self.addresses: dict[str, int] = {function: cast(int, self._tracker[function]) for function in functions}
        self.address = self.addresses[functions[0]]
