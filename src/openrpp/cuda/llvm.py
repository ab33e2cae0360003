"""The one module that touches llvmlite, which has no type information: versions, verification, inlining passes."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import re
from functools import cache
from typing import Any

from openrpp.cuda.errors import ToolchainError

INSTALL = "pip install 'openrpp[cuda]'"


@cache
def _binding() -> Any:
    try:
        from llvmlite import binding
    except ImportError as error:
        raise ToolchainError(f"llvmlite is not installed; {INSTALL} brings it") from error
    return binding


@cache
def version() -> tuple[int, int, int]:
    """The LLVM version inside llvmlite. Raises ToolchainError where llvmlite is missing."""
    major, minor, patch = _binding().llvm_version_info
    return int(major), int(minor), int(patch)


class HostCode:
    """LLVM IR compiled for this machine and loaded; `address` finds its functions."""

    def __init__(self, ir: str) -> None:
        """Raises ToolchainError for IR that llvmlite refuses."""
        binding = _binding()
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        try:
            module = binding.parse_assembly(ir)
            module.verify()
        except RuntimeError as error:
            raise ToolchainError(f"LLVM refuses the module: {str(error).strip()}") from error
        target = binding.Target.from_default_triple()
        features = binding.get_host_cpu_features().flatten()
        machine = target.create_target_machine(binding.get_host_cpu_name(), features, opt=2)
        self._engine: Any = binding.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """The address of a function."""
        return int(self._engine.get_function_address(name))


_DEFINE = re.compile(r"^define [^\n]*$", re.MULTILINE)
_GROUP = re.compile(r"^(attributes #\d+ = \{)([^\n]*)", re.MULTILINE)
_CALLED = re.compile(r"\b(?:call|invoke)\b[^\n@]*@(?:\"[^\"]*\"|[-\w.$]+)\(")


def inlined(ir: str) -> str:
    """Device code in which kernels call no function that could be inlined.

    Clang has inlined what it may. Where calls are left (functions marked `__noinline__`), functions are marked for
    inlining and LLVM's passes run once more. What is then left is recursive.
    """
    names = {name for name, kernel in _defined(ir).items() if not kernel}
    if not names & _called(ir):
        return ir
    binding = _binding()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    text = _GROUP.sub(_always_inline, ir)
    module = binding.parse_assembly(text)
    machine = binding.Target.from_default_triple().create_target_machine()
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1))
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    for _ in range(2):
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.add_new_gvn_pass()
    passes.add_aggressive_dce_pass()
    passes.run(module, builder)
    return str(module)


def _defined(ir: str) -> dict[str, bool]:
    """Name of each defined function -> whether it is a kernel."""
    found: dict[str, bool] = {}
    for line in _DEFINE.findall(ir):
        before, _, rest = line.partition("@")
        name = rest[1:].split('"')[0] if rest.startswith('"') else rest.split("(")[0]
        found[name] = "ptx_kernel" in before.split()
    return found


def _called(ir: str) -> set[str]:
    return {text[text.index("@") + 1 : -1].strip('"') for text in _CALLED.findall(ir)}


def _always_inline(group: re.Match[str]) -> str:
    # The passes run with this machine's description, which does not know the processor's name.
    rest = re.sub(r' "target-(?:cpu|features)"="[^"]*"', "", group[2])
    words = f" {rest} ".replace(" noinline ", " ").replace(" optnone ", " ").replace(" alwaysinline ", " ")
    return f"{group[1]} alwaysinline{words.rstrip()}"
