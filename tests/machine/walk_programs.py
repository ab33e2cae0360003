"""Random programs for the walk: mostly scalar work, in every shape of loop that a sequencer can run.

Lanes do nothing that matters, so addresses are free. Every loop ends, since nothing but the loop writes its counter,
unless `wild` adds jumps at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

SHORT = [f"S{n}" for n in range(14)]  # S10 to S13 are halves of pairs, too
WIDE = ["DS3", "DS5", "DS6", "DS7", "DS8", "DS9"]
ODD = ["S11", "S13"]
BLOCK = ["%blockIdx.x", "%blockIdx.y", "%blockIdx.z", "%blockIdx"]
COUNTERS = ["S20", "S21", "S22"]
WIDE_COUNTERS = ["DS10", "DS11", None]
ONE, TEMP, LIMIT = "S24", "S25", "S23"
PARAMETERS = [f"cfg_fft_w4_{n}" for n in range(6)]
SRAM, DDR = 0x0400_0000, 0x5000_0000
DMA = ("src_hi", "src_lo", "dst_hi", "dst_lo")


class Program:
    """Text that grows."""

    def __init__(self, random: Random, depth: int = 3, size: int = 7, wild: bool = False) -> None:
        self.random = random
        self.lines = [".param .u32 p", ".param .u32 q", f"MOVE.U16 1, {ONE}"]
        self.labels = 0
        self.open = True  # whether scalar words stand before the next column
        self.counters: list[str] = []
        self.wild = wild
        self.places: list[str] = []
        self.prepare()
        if random.random() < 0.5:
            for register in random.sample(SHORT, 4):
                self.add(f"MOVE.U16 {self.number()}, {register}")
        if random.random() < 0.3:  # constants in block 0 only
            with self.skipped(f"JMPC {random.choice(BLOCK)}, "):
                self.straight()
        if random.random() < 0.4:
            self.tail()
        self.body(depth, size)
        if random.random() < 0.8:
            self.column()

    def prepare(self) -> None:
        """What subclasses need first."""

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, "##" if self.open else "", ""])

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.open = True

    def label(self) -> str:
        self.labels += 1
        return f"$L{self.labels}"

    def place(self, label: str) -> None:
        self.add(f"{label}:")

    @contextmanager
    def skipped(self, jump: str) -> Iterator[None]:
        """What is added inside is jumped over if a jump is taken."""
        label = self.label()
        self.add(jump + label)
        yield
        self.place(label)

    def number(self) -> int:
        return self.random.choice([0, 1, 2, 3, 5, 8, 16, 100, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF])

    # --- values ------------------------------------------------------------------------------------------------------

    def short(self) -> str:
        return self.random.choice([*SHORT, *self.counters[-2:], *self.random.choices(BLOCK, k=2), ONE])

    def wide(self) -> str:
        return self.random.choice(WIDE)

    def straight(self) -> None:
        """One scalar operation."""
        pick, to, pair = self.random.choice, self.random.choice(SHORT), self.wide()
        kind = self.random.randrange(18)
        match kind:
            case 0 | 1:
                self.add(f"{pick(['ADD', 'SUB'])}.{pick(['U16', 'S16'])} {self.short()}, {self.short()}, {to}")
            case 2 | 3:
                self.add(f"{pick(['ADD', 'SUB'])}.{pick(['U32', 'S32'])} {self.wide()}, {self.wide()}, {pair}")
            case 4:
                self.add(f"MOVE.U16 {self.number()}, {to}")
            case 5:
                self.add(f"MOVE.U32 {pick([0, 7, 0x1234, 0xFFFF, 0x12345])}, {pair}")
            case 6:
                self.add(f"MUL.U16 {self.short()}, {self.short()}, {to}")
            case 7:
                self.add(f"MUL.U32 {self.wide()}, {self.wide()}, {pair}")
            case 8:
                self.add(f"MUL.U16.WIDE {self.short()}, {self.short()}, {pair}")
            case 9:
                self.add(f"CVT.U16.U32 {self.short()}, {pair}")
            case 10:
                self.add(f"CVT.U32.U16 {self.wide()}, {to}")
            case 11:
                self.add(
                    f"{pick(['SHL', 'SHR'])}.U16 {self.short()}, {pick(['0', '1', '2', '3', '7', self.short()])}, {to}"
                )
            case 12:
                self.add(f"{pick(['SHL', 'SHR'])}.U32 {self.wide()}, {pick(['1', '4', '16', self.short()])}, {pair}")
            case 13:
                self.add(f"OR.U16 {self.short()}, {self.short()}, {to}")
            case 14:
                self.compare(to)
            case 15:
                self.add(f"MOVE.U16 {self.short()}, {to}" if pick([True, False]) else f"MOVE.U32 {self.wide()}, {pair}")
            case 16:
                at = pick(PARAMETERS)
                self.add(
                    f"STGLB.U32 {self.wide()}, [{at}]" if pick([True, False]) else f"STGLB.U16 {self.short()}, [{at}]"
                )
            case _:
                at = pick([*PARAMETERS, "p", "q", "grid_dim_x"])
                self.add(f"LDPARAM.U16 [{at}], {to}" if pick([True, False]) else f"LDPARAM.U32 [{at}], {pair}")

    def step(self) -> None:
        """A value that moves evenly: what most loops do with addresses and counters."""
        pick = self.random.choice
        register = pick(SHORT)
        if pick([True, False]):
            self.add(f"{pick(['ADD', 'SUB'])}.U16 {register}, {pick([ONE, ONE, pick(SHORT)])}, {register}")
        else:
            pair = self.wide()
            self.add(f"{pick(['ADD', 'SUB'])}.U32 {pair}, {pick(['DS9', 'DS9', self.wide()])}, {pair}")

    def compare(self, to: str) -> None:
        pick = self.random.choice
        kind = pick(["U16", "S16", "U32", "S32"])
        value = self.short if kind.endswith("16") else self.wide
        self.add(f"CMP.{kind}.{pick(['EQ', 'LT'])} {value()}, {value()}, {to}")

    # --- columns and such -----------------------------------------------------------------------------------------

    def column(self) -> None:
        pick = self.random.choice
        line = pick(
            [
                "NOP",
                "NOP",
                f"LOADCONT {self.wide()}, MB",
                f"LOADALN {self.wide()}, {self.short()}, {self.short()}, IA",
                f"GLANEADDR {self.wide()}, {self.short()}, {self.short()}, DVA",
                "MADD DVA, 2, DVA",
                f"MMOV {self.wide()}, DVA",
                "LOAD [DVA], IB",
                "ADD.U16 VA, VB, VA",
            ]
        )
        self.lines += [line, "##"]
        self.open = False

    def sync(self) -> None:
        self.lines += [self.random.choice(["DMB_ORI", "POLL.CHN1"]), "##"]
        self.open = False

    def transfer(self) -> None:
        """A transfer between SRAM and DDR, whose address moves with a counter."""
        pick = self.random.choice
        places = [SRAM, DDR]
        self.random.shuffle(places)
        moving = pick(self.counters or BLOCK)
        for name, value in zip(DMA, (0, places[0], 0, places[1]), strict=True):
            self.add(f"MOVE.U32 {value}, DS13")
            if name.endswith("lo") and pick([True, False]):
                self.add(f"CVT.U16.U32 {moving}, {pair}" if (pair := "DS4") else "")
                self.add("SHL.U32 DS4, 6, DS4")
                self.add("ADD.U32 DS13, DS4, DS13")
            self.add(f"STGLB.U32 DS13, [dma_ch0_mod1_{name}]")
        self.add(f"MOVE.U32 {pick([64, 64, 0, 4096])}, DS13")
        self.add("STGLB.U32 DS13, [dma_ch0_mod1_len]")
        self.column()

    def shape(self) -> None:
        pick = self.random.choice
        for register in ("S0", "S1"):
            self.add(f"MOVE.U16 {pick([1, 32, 33])}, {register}")
        self.add(f"MUL.U16 S0, S1, {TEMP}")
        self.add(f"CFGXYZ S0, S1, {TEMP}")

    def tail(self) -> None:
        """Another shape for the last blocks of an axis."""
        axis = self.random.choice("xyz")
        self.add(f"ADD.U16 %blockIdx.{axis}, {ONE}, {TEMP}")
        self.add(f"LDPARAM.U16 [grid_dim_{axis}], {LIMIT}")
        self.add(f"CMP.U16.EQ {TEMP}, {LIMIT}, {TEMP}")
        with self.skipped(f"JMPNC {TEMP}, "):
            self.shape()

    def repeat(self) -> None:
        pick = self.random.choice
        self.add(
            f"MOVE.U16 {pick([0, 1, 2, 5, 300])}, {TEMP}" if pick([True, False]) else f"MOVE.U16 {pick(BLOCK)}, {TEMP}"
        )
        self.add(f"REPEAT {pick([1, 1, 2])}, {TEMP}")
        self.column()
        self.column()

    # --- control --------------------------------------------------------------------------------------------------

    def condition(self) -> str:
        """The beginning of a conditional jump."""
        pick = self.random.choice
        if pick([True, False]):
            self.compare(TEMP)
            return f"{pick(['JMPC', 'JMPNC'])} {TEMP}, "
        return f"{pick(['JMPC', 'JMPNC'])} {self.short()}, "

    def body(self, depth: int, size: int) -> None:
        pick = self.random.choice
        for _ in range(self.random.randint(1, size)):
            kind = self.random.randrange(20)
            if kind < 5:
                self.straight()
            elif kind < 8:
                self.step()
            elif kind < 11:
                self.column()
            elif kind < 13:
                with self.skipped(self.condition()):
                    self.body(0, 3)
            elif kind == 13:
                pick([self.sync, self.transfer, self.repeat, self.shape, self.tail])()
            elif kind == 14 and self.wild and self.places:
                self.add(self.condition() + pick(self.places))
            elif depth and len(self.counters) < len(COUNTERS):
                self.loop(depth - 1, max(size - 2, 2))
        if self.wild and pick([True, False]):
            self.places.append(label := self.label())
            self.place(label)

    def loop(self, depth: int, size: int) -> None:
        level = len(self.counters)
        wide = WIDE_COUNTERS[level] if self.random.random() < 0.3 else None
        if wide:
            self.wide_loop(wide, depth, size)
            return
        kind = self.random.choice([self.down, self.down, self.up, self.wrap, self.before, self.dependent, self.twice])
        counter = COUNTERS[level]
        kind(counter, depth, size)
        self.counters.pop()

    def inside(self, counter: str, depth: int, size: int, out: str = "") -> None:
        self.counters.append(counter)
        self.body(depth, size)
        if out and self.random.random() < 0.3:
            self.add(self.condition() + out)
            self.body(0, 2)

    def trips(self) -> int:
        return self.random.choice([1, 2, 3, 4, 5, 6, 9, 20, 50])

    def down(self, counter: str, depth: int, size: int) -> None:
        head, out = self.label(), self.label()
        self.add(f"MOVE.U16 {self.trips()}, {counter}")
        self.place(head)
        self.inside(counter, depth, size, out)
        self.add(f"SUB.U16 {counter}, {ONE}, {counter}")
        self.add(f"JMPC {counter}, {head}")
        self.place(out)

    def up(self, counter: str, depth: int, size: int) -> None:
        """Counts up to a limit that a comparison finds, signed or not, perhaps through zero."""
        pick, head, out = self.random.choice, self.label(), self.label()
        kind = pick(["U16", "S16"])
        start = pick([0, 1, 0x7FF0, 0x8000]) if kind == "U16" else pick([0, 0xFFF6, 0x8000])
        self.add(f"MOVE.U16 {start}, {counter}")
        self.place(head)
        self.inside(counter, depth, size, out)
        self.add(f"ADD.U16 {counter}, {ONE}, {counter}")
        self.add(f"MOVE.U16 {(start + self.trips()) & 0xFFFF}, {LIMIT}")
        relation, jump = pick([("LT", "JMPC"), ("EQ", "JMPNC")])
        self.add(f"CMP.{kind}.{relation} {counter}, {LIMIT}, {TEMP}")
        self.add(f"{jump} {TEMP}, {head}")
        self.place(out)

    def wrap(self, counter: str, depth: int, size: int) -> None:
        """Steps that pass 65536 before they hit zero."""
        head, out, step = self.label(), self.label(), self.random.choice([3, 1024, 4096, 0xFFFD, 0x8000])
        self.add(f"MOVE.U16 {-step * self.trips() & 0xFFFF}, {counter}")
        self.place(head)
        self.inside(counter, depth, size, out)
        self.add(f"MOVE.U16 {step}, {TEMP}")
        self.add(f"ADD.U16 {counter}, {TEMP}, {counter}")
        self.add(f"JMPC {counter}, {head}")
        self.place(out)

    def before(self, counter: str, depth: int, size: int) -> None:
        """Tests before each round; the jump back is unconditional."""
        head, out = self.label(), self.label()
        self.add(f"MOVE.U16 {self.trips() - 1}, {counter}")
        self.place(head)
        self.add(f"JMPNC {counter}, {out}")
        self.add(f"SUB.U16 {counter}, {ONE}, {counter}")
        self.inside(counter, depth, size, out)
        self.add(f"JMP {head}")
        self.place(out)

    def dependent(self, counter: str, depth: int, size: int) -> None:
        """As many rounds as an outer counter or the block's number says, cut to 63."""
        head, out = self.label(), self.label()
        self.add(f"SHL.U16 {self.random.choice(self.counters or BLOCK)}, {self.random.choice([10, 11])}, {counter}")
        self.add(f"SHR.U16 {counter}, 10, {counter}")
        self.add(f"ADD.U16 {counter}, {ONE}, {counter}")
        self.place(head)
        self.inside(counter, depth, size, out)
        self.add(f"SUB.U16 {counter}, {ONE}, {counter}")
        self.add(f"JMPC {counter}, {head}")
        self.place(out)

    def twice(self, counter: str, depth: int, size: int) -> None:
        """Two jumps back to one head."""
        head, out = self.label(), self.label()
        self.add(f"MOVE.U16 {self.trips()}, {counter}")
        self.place(head)
        self.add(f"SUB.U16 {counter}, {ONE}, {counter}")
        self.add(f"JMPNC {counter}, {out}")
        self.inside(counter, depth, size, out)
        self.add(self.condition() + head)
        self.body(0, 2)
        self.add(f"JMP {head}")
        self.place(out)

    def wide_loop(self, counter: str, depth: int, size: int) -> None:
        """A 32-bit counter, up or down, across 65536 perhaps."""
        pick, head, out, trips = self.random.choice, self.label(), self.label(), self.trips()
        kind, step = pick(["U32", "S32"]), pick([1, 3, 0xFFFFFFFF])
        start = pick([0, 0xFFF0, 0x12345]) if kind == "U32" else pick([0, 0xFFFFFFF0])
        low = f"S{2 * int(counter[2:])}"
        self.add(f"MOVE.U32 {start}, {counter}")
        self.place(head)
        self.counters.append(low)
        self.inside(low, depth, size, out)
        self.counters.pop()
        self.add(f"MOVE.U32 {step}, DS13")
        self.add(f"ADD.{kind} {counter}, DS13, {counter}")
        self.add(f"MOVE.U32 {(start + step * trips) & 0xFFFFFFFF}, DS13")
        self.add(f"CMP.{kind}.EQ {counter}, DS13, {TEMP}")
        self.add(f"JMPNC {TEMP}, {head}")
        self.place(out)
        self.counters.pop()


class Even(Program):
    """Programs whose loops do prove: values that move evenly, temporaries made of them, and few decisions that flip.

    `even16` and `even32` are what moves; `made` holds temporaries that this round has computed.
    """

    def body(self, depth: int, size: int) -> None:
        """Some steps, a chain of temporaries, a decision by its end, and another loop inside."""
        random = self.random
        kept = list(self.made)
        for _ in range(random.choice([1, 1, 2])):
            self.step()
        inner = depth and len(self.counters) < len(COUNTERS)
        inner_first = random.random() < 0.5
        if inner and inner_first:
            self.loop(depth - 1, size)
            self.made = list(kept)
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            self.temporary()
        if random.random() < 0.1:
            self.rare()
        for _ in range(random.choice([1, 1, 2])):
            with self.skipped(self.condition()):
                (self.column if random.random() < 0.8 else random.choice([self.step, self.temporary, self.rewrite]))()
        if random.random() < 0.3:
            self.column()
        if inner and not inner_first:
            self.made = list(kept)
            self.loop(depth - 1, size)
        self.made = kept

    def prepare(self) -> None:
        random = self.random
        self.made: list[str] = []
        self.even16 = random.sample(SHORT[:6], 3)
        self.even32 = random.sample(WIDE[1:4], 2)
        for register in self.even16:
            self.add(f"MOVE.U16 {random.choice([0, 1, 7, 40, 65500, 65535, 0x7FF0])}, {register}")
        for pair in self.even32:
            self.add(f"MOVE.U32 {random.choice([0, 9, 65500, 0x7FFFFFF0, 0xFFFFFFD0])}, {pair}")
        self.steps = random.sample([1, 1, 2, 3, 4, 5, 16, 255, 4096, 0xFFFF, 0xFFFE], 3)

    def value16(self) -> str:
        chosen = [name for name in self.made if not name.startswith("D")]
        if chosen and self.random.random() < 0.6:
            return chosen[-1]
        return self.random.choice([*self.even16, *self.even16, *self.counters, *chosen, self.random.choice(BLOCK)])

    def value32(self) -> str:
        chosen = [name for name in self.made if name.startswith("D")]
        return chosen[-1] if chosen and self.random.random() < 0.6 else self.random.choice([*self.even32, *chosen])

    def short(self) -> str:
        return self.value16()

    def wide(self) -> str:
        return self.value32()

    def step(self) -> None:
        pick = self.random.choice
        self.add(
            f"MOVE.U32 {pick(self.steps)}, DS13" if pick([True, False]) else f"MOVE.U32 {pick([1, 8, 65536])}, DS13"
        )
        if pick([True, False]):
            self.add(f"{pick(['ADD', 'ADD', 'SUB'])}.U16 {(to := pick(self.even16))}, S26, {to}")
        else:
            self.add(f"{pick(['ADD', 'ADD', 'SUB'])}.U32 {(to := pick(self.even32))}, DS13, {to}")

    def temporary(self) -> None:
        """Something computed from what moves, before anything reads it."""
        pick = self.random.choice
        free16 = [name for name in ("S6", "S7", "S14", "S15", "S16", "S17") if name not in self.even16]
        free32 = [name for name in ("DS7", "DS8", "DS9", "DS3") if name not in self.even32]
        to, pair = pick(free16), pick(free32)
        if self.random.random() < 0.1:
            pair = pick(["DS7", "DS8"])
        count = pick(["0", "1", "2", "3", "4", "8"])
        small = pick([2, 3, 4, 100, 512])
        wide, short = self.value32(), self.value16()
        lines = [
            (pair, f"CVT.U16.U32 {short}, {pair}"),
            (to, f"CVT.U32.U16 {wide}, {to}"),
            (to, f"{pick(['SHL', 'SHR', 'SHR'])}.U16 {short}, {count}, {to}"),
            (pair, f"{pick(['SHL', 'SHR', 'SHR'])}.U32 {wide}, {count}, {pair}"),
            (pair, f"MOVE.U16 {small}, {TEMP}\nMUL.U16.WIDE {short}, {TEMP}, {pair}"),
            (to, f"MOVE.U16 {small}, {TEMP}\nMUL.U16 {short}, {TEMP}, {to}"),
            (pair, f"MOVE.U32 {small}, DS13\nMUL.U32 {wide}, DS13, {pair}"),
            (to, f"MUL.U16 {short}, {self.value16()}, {to}"),
            (to, f"{pick(['ADD', 'SUB'])}.U16 {short}, {self.value16()}, {to}"),
            (pair, f"{pick(['ADD', 'SUB'])}.U32 {wide}, {self.value32()}, {pair}"),
            (to, f"OR.U16 {short}, {self.value16()}, {to}"),
            (to, f"MOVE.U16 {pick(self.halves())}, {to}"),
            (pair, f"STGLB.U32 {wide}, [cfg_fft_w4_0]\nLDPARAM.U32 [cfg_fft_w4_0], {pair}"),
            (to, f"STGLB.U16 {short}, [cfg_fft_w4_1]\nLDPARAM.U16 [cfg_fft_w4_1], {to}"),
            (to, f"LDPARAM.U16 [cfg_fft_w4_{pick([0, 1])}], {to}"),
            (pair, f"LDPARAM.U32 [cfg_fft_w4_{pick([0, 1])}], {pair}"),
        ]
        name, text = pick(lines)
        for line in text.split("\n"):
            self.add(line)
        self.made = [*(other for other in self.made if not self.overlaps(other, name)), name]

    @staticmethod
    def overlaps(a: str, b: str) -> bool:
        def cells(name: str) -> set[int]:
            number = int(name.lstrip("DS"))
            return {2 * number, 2 * number + 1} if name.startswith("D") else {number}

        return bool(cells(a) & cells(b))

    def halves(self) -> list[str]:
        """16-bit halves of pairs that move."""
        return [f"S{2 * int(name[2:]) + half}" for name in self.even32 for half in (0, 1)]

    def condition(self) -> str:
        """A decision by what was computed last, against a parameter that it may cross."""
        pick, random = self.random.choice, self.random
        jump, relation, limit = pick(["JMPC", "JMPNC"]), pick(["EQ", "LT", "LT"]), pick("pq")
        if random.random() < 0.1:
            return f"{jump} {self.value16()}, "
        if (self.made and self.made[-1].startswith("D")) or (not self.made and random.random() < 0.5):
            kind, value = pick(["U32", "S32"]), self.value32()
            other = self.value32() if random.random() < 0.15 else "DS13"
            self.add(f"LDPARAM.U32 [{limit}], DS13")
        else:
            kind, value = pick(["U16", "S16"]), self.value16()
            other = self.value16() if random.random() < 0.15 else LIMIT
            self.add(f"LDPARAM.U16 [{limit}], {LIMIT}")
        pair = [value, other]
        random.shuffle(pair)
        self.add(f"CMP.{kind}.{relation} {pair[0]}, {pair[1]}, {TEMP}")
        return f"{jump} {TEMP}, "

    def rare(self) -> None:
        """What spoils a proof, or must not."""
        pick = self.random.choice
        pick(
            [self.rewrite, self.straight, self.transfer, self.repeat, self.shape, self.tail, self.sync, self.carried]
        )()

    def rewrite(self) -> None:
        """A value that moves starts anew."""
        pick = self.random.choice
        if pick([True, False]):
            self.add(f"MOVE.U16 {pick([0, 3, 65530])}, {pick(self.even16)}")
        else:
            self.add(f"MOVE.U32 {pick([0, 3, 65530])}, {pick(self.even32)}")

    def carried(self) -> None:
        """A value that goes on from round to round in a way that is not even."""
        to = self.random.choice(["S8", "S9"])
        self.add(
            self.random.choice(
                [f"SHR.U16 {to}, 1, {to}", f"OR.U16 {to}, {self.value16()}, {to}", f"SUB.U16 {ONE}, {to}, {to}"]
            )
        )

    def trips(self) -> int:
        return self.random.choice([4, 7, 9, 12, 20] if self.counters else [4, 7, 20, 100, 300])


def program(seed: int, kind: str = "even") -> str:
    """The text of a random program: "even", "any" or "wild"."""
    random = Random(seed)
    if kind == "even":
        return Even(random, depth=random.choice([0, 1, 1, 2, 2, 3]), size=random.choice([3, 5, 8])).text
    return Program(random, depth=random.choice([1, 2, 3]), size=random.choice([3, 5, 7]), wild=kind == "wild").text


def grid(seed: int) -> tuple[int, int, int]:
    """A random grid for it, small in all."""
    random = Random(seed + 1_000_003)
    return random.choice(
        [
            *[(1, 1, 1)] * 5,
            *[(2, 1, 1), (3, 2, 1), (5, 1, 1), (1, 4, 1), (2, 2, 2)],
            *[(9, 1, 1), (5, 4, 1), (4, 3, 3), (1, 7, 2), (30, 1, 1), (2, 2, 8), (1, 1, 20), (40, 9, 1)],
        ]
    )
