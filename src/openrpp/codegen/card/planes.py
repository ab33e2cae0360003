"""Columns for single steps, with all values in planes of SRAM."""

from __future__ import annotations

from openrpp.codegen.card.doubles import is_double
from openrpp.codegen.card.steps import (
    Access,
    Atomic,
    Ballot,
    Fence,
    Lane,
    Memory,
    OldHigh,
    Part,
    Pe,
    Read,
    Scalar,
    Source,
    Step,
    Word,
)
from openrpp.codegen.card.text import Text

PLANES = "DS0"
_PAIRS = ("IAB", "ICD", "IEF")
_LOW = {"IAB": "IA", "ICD": "IC", "IEF": "IE", "IGH": "IG"}
_HIGH = {"IAB": "IB", "ICD": "ID", "IEF": "IF", "IGH": "IH"}
_AT, _IMMEDIATE, _VOTE = "DS5", ("DS6", "DS7", "DS8"), "S24"
PROGRAM_PARAMS = ("planes", "params", "shared", "private")
"""FRAM words of every program: SRAM addresses of the planes, the parameter area, shared and private memory."""


class Planes:
    """Writes the columns of steps. Words get planes as they come up."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.text = Text()
        self._planes: dict[Word, int] = {}
        self._registers: dict[Word, str] = {}  # words that are the same in all lanes, where they come from
        self._state = Word("mask and thread")
        self._where = Word("segment")
        self._old_high = Word("old high word")
        for word in (self._state, self._where):
            self._plane(word)

    @property
    def planes(self) -> int:
        """Planes in use."""
        return len(self._planes)

    def _plane(self, word: Word) -> int:
        return self._planes.setdefault(word, len(self._planes))

    # --- planes -------------------------------------------------------------------------------------------------

    def _base(self, word: Word) -> str:
        """The scalar pair with the address of a plane."""
        offset = self._plane(word) * 4 * self.threads
        self.text.do(f"MOVE.U32 {offset:#x}, {_AT}", f"ADD.U32 {PLANES}, {_AT}, {_AT}")
        return _AT

    def _load(self, word: Word, pair: str) -> None:
        base = self._base(word)
        self.text.column(f"LOADCONT.W32 {base}, {pair}")

    def _put_constant(self, value: int, pair: str) -> None:
        copy = "COPY" if pair in ("IAB", "ICD") else "COPYEXT"
        self.text.column(f"MOVE.U32 {value:#x}, {_IMMEDIATE[0]}", f"MOVE.U32 {_IMMEDIATE[0]}, VAB")
        self.text.column(f"{copy} VAB, {pair}")

    def _bring(self, source: Source, pair: str) -> None:
        """A word into a register pair."""
        if isinstance(source, int):
            self._put_constant(source, pair)
        else:
            self._load(source, pair)

    def _store(self, word: Word, register: str = "VAB") -> None:
        """A register pair to a plane, for the lanes of the mask."""
        base = self._base(word)
        self.text.column(f"MSHIFTADD IH, {base}, 2, DVA")
        self.text.column(f"STOREMASK.W32 {register}, IG, [DVA]")

    # --- the frame of the program ---------------------------------------------------------------------------------

    def prologue(self) -> None:
        """Scalars, tokens, the number of each thread, and segment 0 for all."""
        text = self.text
        text.do(f"LDPARAM.U32 [{PROGRAM_PARAMS[0]}], {PLANES}")
        text.do(f"LDPARAM.U32 [tid_base], {_AT}")
        text.column("MMOV 0, DVA", "MOVE.U32 0, VAB")
        text.column("COPY VAB, IAB", "COPY VAB, ICD", "COPYEXT VAB, IEF", "COPYEXT VAB, IGH")
        text.column(f"LOADCONT {_AT}, IH")
        text.column("MOVE.U16 1, VA")
        text.column("COPYEXT VA, IG")
        self._keep_state()
        self._put_constant(0, "IAB")
        base = self._base(self._where)
        text.column(f"STORECONT.W32 {base}, IAB")

    def _keep_state(self) -> None:
        base = self._base(self._state)
        self.text.column(f"STORECONT.W32 {base}, IGH")

    def enter(self, number: int, behind: str) -> None:
        """Make the lanes that are at a segment the mask; jump if there are none."""
        text = self.text
        self._load(self._where, "IAB")
        text.column(f"MOVE.U32 {number}, {_IMMEDIATE[0]}", f"CMP.U32.EQ IAB, {_IMMEDIATE[0]}, VA")
        text.column("COPYEXT VA, IG", f"VOTE.ANY VA, {_VOTE}")
        text.do(f"JMPNC {_VOTE}, {behind}")
        self._keep_state()

    def within(self, condition: Source) -> None:
        """Narrow the mask to lanes with a condition, until `restore`."""
        self._bring(condition, "IAB")
        self.text.column("AND.U16 IG, IA, VA")
        self.text.column("COPYEXT VA, IG")

    def restore(self) -> None:
        """The mask of the segment again."""
        self._load(self._state, "IGH")

    def go(self, number: int) -> None:
        """Lanes of the mask go on with a segment."""
        self.text.column(f"MOVE.U32 {number}, {_IMMEDIATE[0]}", f"MOVE.U32 {_IMMEDIATE[0]}, VAB")
        self._store(self._where)

    def jump_if_any_between(self, first: int, last: int, target: str) -> None:
        """Jump if any lane is at one of the segments `first` to `last`."""
        text = self.text
        self._load(self._where, "IAB")
        text.column(f"MOVE.U32 {first}, {_IMMEDIATE[0]}", f"SUB.U32 IAB, {_IMMEDIATE[0]}, VAB")
        text.column(f"MOVE.U32 {last - first + 1}, {_IMMEDIATE[0]}", f"CMP.U32.LT VAB, {_IMMEDIATE[0]}, VA")
        text.column(f"VOTE.ANY VA, {_VOTE}")
        text.do(f"JMPC {_VOTE}, {target}")

    def release(self, waits: int, done: int, target: str) -> None:
        """Let lanes that wait at a barrier go on, if there are any."""
        text, out = self.text, self.text.label()
        self._load(self._where, "IAB")
        text.column(f"MOVE.U32 {done}, {_IMMEDIATE[0]}", f"CMP.U32.LT IAB, {_IMMEDIATE[0]}, VA")
        text.column("COPYEXT VA, IG", f"VOTE.ANY VA, {_VOTE}")
        text.do(f"JMPNC {_VOTE}, {out}", "DMB_ORI")
        self._load(self._where, "IAB")
        text.column(f"MOVE.U32 {waits}, {_IMMEDIATE[0]}", f"SUB.U32 IAB, {_IMMEDIATE[0]}, VAB")
        self._store(self._where)
        text.do(f"JMP {target}")
        text.place(out)

    def finish(self) -> None:
        """The end of a block: what it has stored is seen by the next one."""
        self.text.do("DMB_ORI")
        self.text.column("NOP")

    # --- steps --------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        """The columns of a step."""
        if isinstance(step, Pe):
            self._pe(step)
        elif isinstance(step, Scalar):
            self._scalar(step)
        elif isinstance(step, Access):
            self._access(step)
        elif isinstance(step, Atomic):
            self._atomic(step)
        elif isinstance(step, OldHigh):
            self._load(self._old_high, "IAB")
            self._store(step.result, "IAB")
        elif isinstance(step, Ballot):
            self._ballot(step)
        elif isinstance(step, Lane):
            self.text.column("CVT.U16.U32 IH, VAB")
            self._store(step.result)
        else:
            assert isinstance(step, Fence)
            self.text.do("DMB_ORI")

    def _pe(self, step: Pe) -> None:
        if len(step.reads) > len(_PAIRS):
            self._double(step)
            return
        operands: list[str] = []
        last_is_scalar = len(step.reads) == 2 and isinstance(step.reads[1].source, int) and not is_double(step.text)
        for index, read in enumerate(step.reads):
            if index == 1 and last_is_scalar and read.part is Part.PAIR:
                assert isinstance(read.source, int)
                self.text.do(f"MOVE.U32 {read.source:#x}, {_IMMEDIATE[1]}")
                operands.append(_IMMEDIATE[1])
                continue
            operands.append(self._operand(read, _PAIRS[index]))
        target = "VA" if step.makes is Part.LOW else "VAB"
        self.text.column(f"{step.text} {', '.join([*operands, target])}")
        if step.makes is Part.LOW:
            self.text.column("CVT.U16.U32 VA, VAB")
        self._store(step.result)

    def _double(self, step: Pe) -> None:
        """Four or six words. The last two are scalars, or they come to VAB and MAB; six need the pair of the mask."""
        *first, low, high = (read.source for read in step.reads)
        pairs = ("IAB", "ICD", "IEF", "IGH")[: len(first)]
        kept = Word("mask and thread")
        if "IGH" in pairs:
            self.text.column(f"STORECONT.W32 {self._base(kept)}, IGH")
        for source, pair in zip(first, pairs, strict=True):
            self._bring(source, pair)
        last = self._last_two(low, high)
        target = "VA" if step.makes is Part.LOW else "VAB"
        self.text.column(f"{step.text} {', '.join([*pairs, *last, target])}")
        if "IGH" in pairs:
            self._load(kept, "IGH")
        if step.makes is Part.LOW:
            self.text.column("CVT.U16.U32 VA, VAB")
        self._store(step.result)

    def _last_two(self, low: Source, high: Source) -> tuple[str, str]:
        """Registers of two words for the column that is open."""
        if isinstance(low, int) and isinstance(high, int):
            self.text.do(f"MOVE.U32 {low:#x}, {_IMMEDIATE[1]}", f"MOVE.U32 {high:#x}, {_IMMEDIATE[2]}")
            return _IMMEDIATE[1], _IMMEDIATE[2]
        early, passing = (high, low) if isinstance(high, int) else (low, high)
        assert isinstance(passing, Word)
        if isinstance(early, int):
            self.text.column(f"MOVE.U32 {early:#x}, {_IMMEDIATE[0]}", f"MOVE.U32 {_IMMEDIATE[0]}, VAB")
        else:
            self.text.column(f"LOADCONT.W32 {self._base(early)}, MAB", "MOVE.U32 MAB, VAB")
        self.text.do(f"LOADCONT.W32 {self._base(passing)}, MAB")
        return ("MAB", "VAB") if passing is low else ("VAB", "MAB")

    def _operand(self, read: Read, pair: str) -> str:
        self._bring(read.source, pair)
        if read.part is Part.PAIR:
            return pair
        return (_LOW if read.part is Part.LOW else _HIGH)[pair]

    def _scalar(self, step: Scalar) -> None:
        self._registers[step.result] = step.register
        if step.register.startswith("["):
            self.text.column(f"LDPARAM.U32 {step.register}, {_AT}", f"MOVE.U32 {_AT}, VAB")
        else:
            self.text.column(f"MOVE.U16 {step.register}, VA")
            self.text.column("CVT.U16.U32 VA, VAB")
        self._store(step.result)

    def _ballot(self, step: Ballot) -> None:
        self._bring(step.predicate, "IAB")
        self.text.column("AND.U16 IG, IA, VA")
        self.text.column("BALLOT VA, VAB")
        self._store(step.result)

    # --- memory -------------------------------------------------------------------------------------------------

    def _point(self, step: Access | Atomic) -> str:
        """DVA from an address, and what else the place needs."""
        self._bring(step.address[0], "IAB")
        if step.root is None:
            if len(step.address) == 2:
                self._bring(step.address[1], "ICD")
            self.text.column("MMOV IAB, DVA")
            return "[IC:DVA]" if len(step.address) == 2 else "[DVA]"
        for word, register in zip(step.root, ("DS10", "DS11"), strict=True):
            assert isinstance(word, Word)
            self.text.do(f"LDPARAM.U32 {self._registers[word]}, {register}")
        self.text.column(f"MOVE.U32 0x80000000, {_IMMEDIATE[0]}", f"MADD.SCA32 IAB, {_IMMEDIATE[0]}, DVA")
        return "[DS10 + DVA]"

    def _access(self, step: Access) -> None:
        near = step.memory is Memory.SRAM
        kind = {8: ".U8", 16: "", 32: ".W32"}[step.bits] if near else f".D{step.bits}"
        register = "IEF" if step.bits == 32 else "IE"
        if step.value is not None:
            self._bring(step.value, "IEF")
            self.text.column(f"STOREMASK{kind} {register}, IG, {self._point(step)}")
            return
        assert step.result is not None
        self.text.column(f"LOADMASK{kind or '.U16'} {self._point(step)}, IG, {register}")
        if step.bits == 32:
            self._store(step.result, "IEF")
        else:
            self.text.column("CVT.U16.U32 IE, VAB")
            self._store(step.result)

    def _atomic(self, step: Atomic) -> None:
        if step.is_long:
            self._long_atomic(step)
            return
        self._bring(step.value, "IEF")
        place = self._point(step)
        compared = ""
        if step.compared is not None:
            self._bring(step.compared, "IAB")
            compared = "IAB, "
        self.text.column(f"ATOMMASK.{step.operation} {place}, {compared}IEF, IG, MAB", "COPY MAB, IAB")
        self._store(step.result, "IAB")

    def _long_atomic(self, step: Atomic) -> None:
        """Six registers: the high half of a pointer stands where the thread's number is otherwise."""
        compared = None if step.compared is None else self._in_plane(step.compared)
        place = self._point(step)
        if place == "[IC:DVA]":
            place = "[IH:DVA]"
            self.text.column("MOVE.U16 IC, VA")
            self.text.column("COPYEXT VA, IH")
        assert step.value_high is not None
        self._bring(step.value, "IAB")
        self._bring(step.value_high, "ICD")
        lines: list[str] = []
        if compared is not None and step.compared_high is not None:
            self._bring(step.compared_high, "IEF")
            self.text.column("MOVE.U32 IEF, VAB")
            self._load(compared, "IEF")
            lines.append("ATOMCMP.U64 IEF, VAB")
        lines.append(f"ATOMMASK.{step.operation} {place}, IAB, ICD, IG, IEF, MAB")
        self.text.column(*lines, "COPY MAB, IAB")
        self.restore()
        self._store(step.result, "IAB")
        self._store(self._old_high, "IEF")

    def _in_plane(self, source: Source) -> Word:
        """A word, or a constant as one."""
        if isinstance(source, Word):
            return source
        self._put_constant(source, "IEF")
        made = Word()
        self._store(made, "IEF")
        return made
