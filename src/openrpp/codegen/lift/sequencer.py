"""Scalar words in kernel IR: arithmetic, parameter memory, transfers, and faults that all threads find together."""

from __future__ import annotations

from openrpp.arch import Card
from openrpp.codegen.lift import program
from openrpp.codegen.lift.columns import Columns
from openrpp.codegen.lift.graph import LOGGED, Node, meets
from openrpp.codegen.lift.program import Stop
from openrpp.codegen.lift.scalar import computed
from openrpp.codegen.lift.transfer import Region, Transfer
from openrpp.isa.form import Kind, Op
from openrpp.kir.ir import Parameter, Value
from openrpp.kir.types import I8, I16, I32, I64
from openrpp.machine.faults import DmaFault, Fault, OutOfBounds
from openrpp.machine.scalars import DMA_ADDRESSES, DMA_LENGTH, SHARED_FROM


class Sequencer(Columns):
    """Emission of scalar words; `number` is the running number of the block."""

    named: dict[str, Parameter]
    stops: list[Stop]
    number: Value
    read_words: set[int]
    flag_bytes: int
    learns: bool

    # --- scalar words -----------------------------------------------------------------------------------------------

    def scalar(self, number: int, width: int) -> Value:
        """A scalar operand."""
        if width == 16:
            return self.scalars.half(number)
        if width == 64:
            return self.to.joined(self.scalars.pair(number), self.scalars.pair(number + 2))
        return self.scalars.pair(number, 32)

    def _operand(self, op: Op, name: str) -> Value:
        kind, value = op.form.operands[name].kind, op.values[name]
        if kind is Kind.IMM:
            return self.to.number(I32 if op.form.width == 32 else I16, value)
        return self.scalar(value, 32 if kind is Kind.S32 else 16)

    def scalar_word(self, node: Node) -> None:
        """A word that neither jumps nor sets the shape."""
        op = node.op
        assert op is not None
        match op.form.effect:
            case "":
                result = computed(self.to, op.form, [self._operand(op, name) for name in op.form.sources])
                self._set_scalar(op.values["d"], 32 if op.form.operands["d"].kind is Kind.S32 else 16, result)
            case "load-parameter":
                self._load_parameter(op)
            case "store-parameter":
                self._store_parameter(op, node.spot.word)
            case _ if meets(node):
                self.barrier()
            case _:
                pass

    def _set_scalar(self, register: int, width: int, value: Value) -> None:
        if width == 32:
            self.scalars.set_pair(register, self.to.resized(value, I32), 32)
        else:
            self.scalars.set_half(register, self.to.low(value))

    def barrier(self) -> None:
        """All lanes of the block meet."""
        self.to("barrier")
        self.touched = 0

    def note(self, offset: int, value: Value) -> None:
        """Write to the state."""
        state = self.named["state"]
        self.to("store", value, self.to("ptr_add", state, self.to.number(I64, offset)))

    # --- faults -----------------------------------------------------------------------------------------------------

    def numbered(self, kind: type[Fault], sentence: str, word: int) -> int:
        """The number of a fault; a `{}` in its sentence stands for what it meets."""
        stop = Stop(kind, sentence, word)
        if stop not in self.stops:
            self.stops.append(stop)
        return self.stops.index(stop)

    def fault_number(self, sentence: str, word: int) -> int:
        """The number of a fault of an access."""
        return self.numbered(OutOfBounds, sentence, word)

    def fault_unless(self, holds: Value, number: int, detail: Value) -> None:
        """Stop the launch where a condition, the same in all lanes, does not hold."""
        to = self.to
        bad, good = to.block(), to.block()
        to.cbr(holds, good, bad)
        to.at(bad)
        self.stop(number, detail)
        to.at(good)

    def stop(self, number: int, detail: Value) -> None:
        """End the launch, and the block of the kernel IR, with a fault."""
        to = self.to
        self.note(program.FAULT, to.number(I32, number + 1))
        self.note(program.DETAIL, to.resized(detail, I32))
        self.note(program.BLOCK, self.number)
        to("trap")
        to.unreachable()

    # --- parameter memory -------------------------------------------------------------------------------------------

    def _word_at(self, pointer: Value, offset: int) -> Value:
        return self.to("ptr_add", pointer, self.to.number(I64, offset))

    def _load_parameter(self, op: Op) -> None:
        to, offset, width = self.to, op.values["p"], op.form.width
        pointer = self._word_at(self.named["bank"], offset)
        value = to("load", pointer, kind=I16 if width == 16 else I32, align=2)
        if self.graph.has_transfers:
            flag = to("load", self._word_at(self.named["state"], program.FLAGS + offset // 2), kind=I8)
            self.learn(to.wide(value), to.test("ne", flag, 0))
        self._set_scalar(op.values["d"], width, value)

    def learn(self, value: Value, when: Value | None = None) -> None:
        """Append a value to the log; where it has no room, or nothing was learned, the last place takes it."""
        to, logged, room = self.to, self.pseudo[LOGGED], self.named["room"]
        self.learns = True
        place = to.op("umin", logged, room)
        if when is not None:
            place = to.chosen(when, place, room)
        offset = to.op("add", to.op("shl", to.resized(place, I64), 2), program.FLAGS + self.flag_bytes)
        to("store", value, to("ptr_add", self.named["state"], offset))
        self.pseudo[LOGGED] = to.op("add", logged, to.resized(when, I32) if when is not None else 1)

    def _store_parameter(self, op: Op, word: int) -> None:
        offset, width = op.values["p"], op.form.width
        value = self.scalar(op.values["a"], width)
        words = {offset // 2, offset // 2 + width // 16 - 1}
        meeting = not words.isdisjoint(self.read_words)
        if meeting:
            self.barrier()
        banks = [self.named["bank"]]
        if SHARED_FROM <= offset < DMA_ADDRESSES[0]:
            banks = [self.named[f"fram{number}"] for number in range(self.card.fram.banks.value)]
        for bank in banks:
            self.to("store", value, self._word_at(bank, offset), align=2)
        if meeting:
            self.barrier()
        if offset == DMA_LENGTH:
            self._transfer(word)

    def _transfer(self, word: int) -> None:
        to, bank = self.to, self.named["bank"]
        self.barrier()
        parts = [to("load", self._word_at(bank, offset), kind=I32, align=2) for offset in DMA_ADDRESSES]
        source, target = (to.joined(parts[place + 1], parts[place]) for place in (0, 2))
        nbytes = to.resized(to("load", self._word_at(bank, DMA_LENGTH), kind=I32, align=2), I64)
        some, behind = to.block("transfer"), to.block()
        to.cbr(to.test("ne", nbytes, 0), some, behind)
        to.at(some)
        regions, fram = _regions(self.card, self.named)
        alias = self.card.address.alias.value
        transfer = Transfer(to, regions, fram, alias, self.positions.i, self.positions.threads)
        places = [transfer.place(address, nbytes) for address in (source, target)]
        for place, name in zip(places, ("source", "destination"), strict=True):
            number = self.numbered(DmaFault, f"the {name} of a transfer of {{}} bytes is not in one memory", word)
            self.fault_unless(place.exists, number, nbytes)
        transfer.copy(places[0].pointer, places[1].pointer, nbytes)
        transfer.note(places[1], nbytes, self._word_at(self.named["state"], program.FLAGS))
        to.br(behind)
        to.at(behind)
        self.barrier()


def _regions(card: Card, named: dict[str, Parameter]) -> tuple[list[Region], set[int]]:
    """All memories in the order in which an address is looked up, and which of them are parameter memory."""
    address, banks = card.address, card.fram.banks.value
    fram = [
        Region(address.fram.value + address.fram_bank.value * bank, card.fram.bank_bytes.value, named[f"fram{bank}"])
        for bank in range(banks)
    ]
    sram = Region(address.sram.value, card.sram.bytes.value, named["sram"])
    pram = Region(address.pram.value, card.pram.bytes.value, named["pram"])
    ddr = Region(address.ddr.value, card.ddr.bytes.value, named["ddr"])
    return [sram, *fram, pram, ddr], set(range(1, 1 + banks))
