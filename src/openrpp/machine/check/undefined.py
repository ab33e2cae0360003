"""Undefined values: what was never written, and everything computed from it.

Undefined are: vector registers at the start of a block, scalar registers at the start of a launch, memory that neither
host, kernel nor DMA has written, and the lanes that a LOADMASK leaves out. Loading or moving such a value is legal; a
fault it is to store it, to use it as an address or a condition, to branch on it, to set the block shape by it, or to
write it to parameter memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openrpp.isa.form import Kind, Op
from openrpp.isa.fram import BUILTINS, builtin_name
from openrpp.machine.check.defined import DefinedMemory
from openrpp.machine.check.reasons import SOUND, Access, Numbers, Reason
from openrpp.machine.check.taint import NAMES, Taint
from openrpp.machine.code import ColumnCode, VectorOp
from openrpp.machine.faults import Place, UndefinedValue
from openrpp.machine.launch import CODE_SIZE, THREAD_TABLE_BYTES, Launch
from openrpp.machine.memory import Memory
from openrpp.machine.reference import Step
from openrpp.machine.scalars import DMA_LENGTH, SHARED_FROM
from openrpp.machine.vectors import MA, MB

_WIDTHS = {Kind.S16: 16, Kind.S32: 32, Kind.S64: 64}
_BLOCK_INDICES = range(28, 32)
_DMA_ADDRESSES = ("src_hi", "src_lo", "dst_hi", "dst_lo")
_WIDE_WORDS = ("tid_base", "tid_depack")


def _scalar_name(register: int, width: int) -> str:
    return f"DS{register // 2}" if width == 32 and register % 2 == 0 else f"S{register}"


def _first(held: Sequence[int], register: int, width: int) -> int:
    """The first reason of the registers that make up an operand, else 0."""
    return next((held[part & 31] for part in range(register, register + width // 16) if held[part & 31]), 0)


class Undefined(Taint):
    """Follows definedness through registers and memories, over all launches of a card."""

    error = UndefinedValue
    doubtful = "undefined"

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.defined = DefinedMemory(memory)
        self._scalars: list[int] = [0] * 32  # reason numbers
        self._captured: dict[
            int, tuple[int, ...]
        ] = {}  # column number -> reasons of all registers, where one is captured
        self._bank = 0

    # --- what is defined -------------------------------------------------------------------------------------------

    def host_write(self, address: int, nbytes: int) -> None:
        """What the host writes is defined."""
        self.defined.write(address, nbytes)

    def launch(self, launch: Launch, bank: int) -> None:
        """The runtime has written parameters, geometry and thread ids; scalar registers hold nothing."""
        super().launch(launch, bank)
        self._bank = bank
        flags = self.defined.fram[bank]
        flags[: 2 * len(launch.params)] = True
        flags[CODE_SIZE // 2] = True
        for name, offset in BUILTINS.items():
            if not name.startswith("dma_"):
                flags[offset // 2 : offset // 2 + (2 if name in _WIDE_WORDS else 1)] = True
        self.defined.write(self.memory.sram.end - THREAD_TABLE_BYTES, 2 * launch.threads)
        self._scalars = [self.reasons.fixed(f"S{register} was not written in this launch") for register in range(32)]

    def block(self, place: Place) -> None:
        """Scalar registers keep their values from block to block."""
        super().block(place)
        self._captured.clear()
        for register in _BLOCK_INDICES:
            self._scalars[register] = 0

    def unwritten(self, code: int) -> int:
        """Registers begin undefined."""
        where = "by a load of this column" if code in (MA, MB) else "in this block"
        return self.reasons.fixed(f"{NAMES[code]} was not written {where}")

    def unselected(self, op: VectorOp) -> int:
        """Lanes that a mask leaves out hold nothing."""
        return self.reasons.fixed(f"LOADMASK at word {op.word} left this lane out")

    # --- memory ----------------------------------------------------------------------------------------------------

    def stored(self, access: Access) -> None:
        """Only defined values get here."""
        if access.direct:
            self.defined.put_ddr(access.addresses)
        else:
            self.defined.sram[access.words] = True

    def loaded(self, access: Access) -> Numbers:
        """Words that nothing has written."""
        known = self.defined.get_ddr(access.addresses) if access.direct else self.defined.sram[access.words]
        if known.all():
            return SOUND
        text = f"{access.op.form.name} at word {access.op.word} read memory that nothing has written"
        number = self.reasons.add(Reason.of_load(text, access, ~known))
        return np.where(known, SOUND, np.uint32(number))

    def transfer(self, source: int, target: int, nbytes: int, place: Place, word: int) -> None:
        """A DMA carries definedness along."""
        self.defined.copy(source, target, nbytes)

    def voted(self, op: VectorOp, doubtful: bool) -> None:
        """A vote over an undefined predicate is undefined."""
        text = f"{op.form.name} at word {op.word} counted an undefined predicate"
        self._scalars[op.op.values["d"]] = self.reasons.fixed(text) if doubtful else 0

    # --- scalar words ------------------------------------------------------------------------------------------------

    def tokens(self, column: ColumnCode, place: Place, number: int) -> None:
        """Note the reasons of the scalars that a column captures."""
        if any(self._reason(register, width) for register, width in column.captured):
            self._captured[number] = tuple(self._scalars)

    def captured(self, step: Step, register: int, width: int) -> int:
        """Reason number of a captured scalar."""
        held = self._captured.get(step.number)
        if held is None:
            return 0
        return _first(held, register, width)

    def _reason(self, register: int, width: int) -> int:
        return _first(self._scalars, register, width)

    def _operand_reason(self, op: Op, name: str) -> int:
        width = _WIDTHS.get(op.form.operands[name].kind)
        return 0 if width is None else self._reason(op.values[name], width)

    def _set(self, op: Op, number: int) -> None:
        if "d" in op.form.operands:
            register = op.values["d"]
            for part in range(_WIDTHS[op.form.operands["d"].kind] // 16):
                self._scalars[(register + part) & 31] = number

    def scalar(self, op: Op, place: Place, number: int, word: int) -> None:
        """Carry reasons through scalar arithmetic; refuse them where they decide something."""
        match op.form.effect:
            case "":
                self._set(op, max((self._operand_reason(op, name) for name in op.form.sources), default=0))
            case "load-parameter":
                self._set(op, self._parameter(op.values["p"], op.form.width, word))
            case "jump":
                self._refuse(op, ("a",) if "a" in op.values else (), "{name} tests {operand}", number, word)
            case "shape":
                self._refuse(op, ("x", "y", "n"), "{name} takes a size from {operand}", number, word)
            case "repeat":
                self._refuse(op, ("a",), "{name} counts by {operand}", number, word)
            case "store-parameter":
                self._refuse(op, ("a",), "{name} writes {operand} to parameter memory", number, word)
                self._store_parameter(op, number, word)
            case _:
                self._set(op, 0)

    def _refuse(self, op: Op, names: tuple[str, ...], sentence: str, number: int, word: int) -> None:
        for name in names:
            reason = self._operand_reason(op, name)
            if reason:
                register = _scalar_name(op.values[name], _WIDTHS[op.form.operands[name].kind])
                use = sentence.format(name=op.form.name, operand=register)
                raise self._fault(f"{use}, which is undefined: {self.reasons[reason].text}", number, word)

    def _fault(self, sentence: str, number: int, word: int) -> UndefinedValue:
        return UndefinedValue(sentence, Place(self.place.kernel, self.place.block, number, word, self.lines.get(word)))

    def _parameter(self, offset: int, width: int, word: int) -> int:
        """Reason number of a word of parameter memory."""
        if self.defined.fram[self._bank][offset // 2 : (offset + width // 8) // 2].all():
            return 0
        name = builtin_name(offset)
        what = f"{offset:#x}" + (f" ({name})" if name else "")
        return self.reasons.fixed(f"LDPARAM at word {word} read parameter memory at {what}, which nothing has written")

    def _store_parameter(self, op: Op, number: int, word: int) -> None:
        offset, nbytes = op.values["p"], op.form.width // 8
        shared = SHARED_FROM <= offset < BUILTINS["dma_ch0_mod1_src_hi"]
        for bank in self.defined.fram if shared else (self.defined.fram[self._bank],):
            bank[offset // 2 : (offset + nbytes) // 2] = True
        if offset != DMA_LENGTH:
            return
        for name in _DMA_ADDRESSES:
            at = BUILTINS[f"dma_ch0_mod1_{name}"]
            if not self.defined.fram[self._bank][at // 2 : at // 2 + 2].all():
                sentence = f"the transfer's address is undefined: nothing has written dma_ch0_mod1_{name}"
                raise self._fault(sentence, number, word)
