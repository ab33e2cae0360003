"""The sections of a card's description. Field names are the keys of an architecture file.

Each field declares its unit, meaning and range once (see `schema`); numbers and their sources stand in the TOML
presets. Annotations are read at run time, so they must stay evaluated: no `from __future__ import annotations` here.
"""

from dataclasses import dataclass, field, fields

from openrpp.arch.figure import Fact, Figure
from openrpp.arch.schema import address, amount, count, delay, says, share


@dataclass(frozen=True)
class Chip:
    """The chip as its vendor describes it. Peaks here are claims; timing derives its own from array and clock."""

    device: Fact = field(metadata=says("device name"))
    family: Fact = field(metadata=says("family name"))
    cores: Figure[int] = field(metadata=count("cores", "processing cores as the vendor counts them"))
    peak_bf16: Figure[float] = field(metadata=amount("TFLOPS", "claimed peak of bf16 arithmetic"))
    peak_int8: Figure[float] = field(metadata=amount("TOPS", "claimed peak of int8 arithmetic"))
    package_length: Figure[float] = field(metadata=amount("mm", "length of the chip package"))
    package_width: Figure[float] = field(metadata=amount("mm", "width of the chip package"))


@dataclass(frozen=True)
class Array:
    """The ring of columns and the issue of configurations to it."""

    columns: Figure[int] = field(metadata=count("columns", "physical columns of the ring"))
    lanes: Figure[int] = field(metadata=count("lanes", "lanes of a column; one warp fills them"))
    stage_latency: Figure[float] = field(
        metadata=amount("cycles", "time from a warp's entry into a column to its entry into the next")
    )
    words_per_cycle: Figure[float] = field(
        metadata=amount("words/cycle", "program words that the sequencer turns into configurations")
    )
    bf16_macs_per_lane: Figure[int] = field(
        metadata=count("MAC/cycle", "bf16 multiply-adds of one lane's dot unit at the memory port")
    )
    int8_macs_per_lane: Figure[int] = field(
        metadata=count("MAC/cycle", "int8 multiply-adds of one lane's dot unit; needs extension 'int8'")
    )
    config_buffers: Figure[int] = field(
        metadata=count("configurations", "configurations that a column holds beyond the running one", least=0)
    )
    block_gap: Figure[float] = field(
        metadata=delay("cycles", "between the last configuration of a block and the first of the next")
    )
    barrier_latency: Figure[float] = field(metadata=delay("cycles", "a DMB, counted from the drained ring"))

    @property
    def cores(self) -> Figure[int]:
        """Lanes of the whole ring: columns times lanes."""
        low, nominal, high = (self.columns.at(level) * self.lanes.at(level) for level in ("low", "nominal", "high"))
        return Figure(low, nominal, high, "cores", self.columns.source, "array.columns times array.lanes")


@dataclass(frozen=True)
class ClockLevels:
    """Core clock at each named level of frequency scaling."""

    level_1: Figure[float] = field(metadata=amount("MHz", "core clock at DVFS level 1, the default"))
    level_2: Figure[float] = field(
        metadata=amount("MHz", "core clock at DVFS level 2, chosen for power-hungry kernels")
    )
    lower_power: Figure[float] = field(metadata=amount("MHz", "core clock in power mode LOWER_POWER"))

    def named(self) -> dict[str, Figure[float]]:
        """Level name to frequency in MHz."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True)
class Clock:
    """Clocks. Every "cycle" of an architecture file is one of the core clock."""

    core: Figure[float] = field(metadata=amount("MHz", "core clock"))
    levels: ClockLevels = field(metadata=says("core clock by level"))


@dataclass(frozen=True)
class Sram:
    """The on-chip memory that kernels address, and its port side."""

    bytes: Figure[int] = field(metadata=count("bytes", "physical size"))
    plannable: Figure[int] = field(metadata=count("bytes", "what one kernel or graph may allocate"))
    spill: Figure[int] = field(metadata=count("bytes", "top end kept for register spill", least=0))
    banks: Figure[int] = field(metadata=count("banks", "banks, interleaved by word"))
    bank_bytes: Figure[int] = field(metadata=count("bytes", "width of a bank"))
    ports: Figure[int] = field(
        metadata=count("accesses/cycle", "warp accesses served in a cycle over all columns, without conflicts")
    )
    port_bytes: Figure[int] = field(
        metadata=count("bytes/cycle", "what one column's memory port moves for vector and wide accesses")
    )
    ldwarp_cycles: Figure[float] = field(
        metadata=delay(
            "cycles", "extra port time per configuration with an LDWARP, whose 512 bytes serve all its warps"
        )
    )
    alignment: Figure[int] = field(metadata=count("bytes", "buffers start at, and are rounded up to, multiples of it"))
    guard: Figure[int] = field(
        metadata=count("bytes", "kept free after each buffer, since aligned loads may read past its end", least=0)
    )
    latency: Figure[float] = field(metadata=delay("cycles", "from a load's issue to its data"))


@dataclass(frozen=True)
class Fram:
    """The memory that holds kernel parameters. Successive kernels alternate banks."""

    bank_bytes: Figure[int] = field(metadata=count("bytes", "size of one bank"))
    banks: Figure[int] = field(metadata=count("banks", "banks"))

    @property
    def bytes(self) -> int:
        """Nominal size of all banks, in bytes."""
        return self.bank_bytes.value * self.banks.value


@dataclass(frozen=True)
class Pram:
    """The memory that holds kernel code."""

    bytes: Figure[int] = field(metadata=count("bytes", "size"))


@dataclass(frozen=True)
class Ddr:
    """External memory. Published kernels reach it by DMA only."""

    kind: Fact = field(metadata=says("memory type"))
    bytes: Figure[int] = field(metadata=count("bytes", "size"))
    rate: Figure[float] = field(metadata=amount("GB/s", "peak transfer rate of all channels"))
    channels: Figure[int] = field(metadata=count("channels", "memory devices that share the rate"))
    efficiency: Figure[float] = field(metadata=share("sustained share of the peak rate on long transfers"))
    line: Figure[int] = field(metadata=count("bytes", "smallest transfer"))
    latency: Figure[float] = field(metadata=delay("ns", "from a request to its first data"))


@dataclass(frozen=True)
class Dma:
    """The engine that copies between DDR, SRAM and FRAM."""

    channels: Figure[int] = field(metadata=count("channels", "channels that run at the same time"))
    setup: Figure[float] = field(metadata=delay("cycles", "from the start of a transfer to its first request"))
    rate: Figure[float] = field(metadata=amount("bytes/cycle", "what one channel moves on its SRAM side"))
    dims: Fact = field(metadata=says("address patterns of a descriptor"))


@dataclass(frozen=True)
class Link:
    """The host link."""

    kind: Fact = field(metadata=says("link type"))
    device_id: Fact = field(metadata=says("PCI vendor and device id"))
    generation: Figure[int] = field(metadata=count("generation", "PCI Express generation", most=7))
    lanes: Figure[int] = field(metadata=count("lanes", "PCI Express lanes", most=32))
    rate: Figure[float] = field(metadata=amount("GB/s", "raw rate of one direction after line coding"))
    efficiency: Figure[float] = field(metadata=share("share of the raw rate that payload reaches"))
    latency: Figure[float] = field(metadata=delay("us", "from the start of a copy to its first data"))


@dataclass(frozen=True)
class Launch:
    """What starting a kernel costs before its first configuration."""

    stream_us: Figure[float] = field(metadata=delay("us", "a kernel queued on a stream"))
    graph_us: Figure[float] = field(metadata=delay("us", "a kernel that is a node of a replayed graph"))


@dataclass(frozen=True)
class Limits:
    """What a kernel and its launch may not exceed."""

    warp: Figure[int] = field(metadata=count("lanes", "threads of a warp"))
    warps: Figure[int] = field(metadata=count("warps", "warps of a block", most=255))
    threads: Figure[int] = field(metadata=count("threads", "threads of a block"))
    min_threads: Figure[int] = field(
        metadata=count("threads", "smallest block that published host code launches; smaller ones run here too")
    )
    scalar_registers: Figure[int] = field(metadata=count("registers", "16-bit registers of the sequencer", most=64))
    params: Figure[int] = field(metadata=count("parameters", "32-bit parameters of a kernel"))
    grid: Figure[int] = field(metadata=count("blocks", "blocks along each axis of a grid", most=65535))
    image_words: Figure[int] = field(metadata=count("words", "32-bit words of a kernel image", most=65536))


@dataclass(frozen=True)
class Form:
    """The module around the chip."""

    name: Fact = field(metadata=says("form factor"))
    slot: Fact = field(metadata=says("slot it fits"))
    cooling: Fact = field(metadata=says("cooling"))
    length: Figure[float] = field(metadata=amount("mm", "length of the module"))
    width: Figure[float] = field(metadata=amount("mm", "width of the module"))


@dataclass(frozen=True)
class Power:
    """Electric power."""

    typical: Figure[float] = field(metadata=amount("W", "typical draw of the module, DDR included"))
    modes: Fact = field(metadata=says("power modes"))


@dataclass(frozen=True)
class Video:
    """The fixed-function video engine; described only, not modelled."""

    decode_formats: Fact = field(metadata=says("video formats decoded"))
    decode_streams: Figure[int] = field(metadata=count("streams", "streams of 1080p at 30 frames/s decoded at once"))
    jpeg_rate: Figure[float] = field(metadata=amount("Mpixel/s", "JPEG coding and decoding at 4:2:2"))


@dataclass(frozen=True)
class AddressMap:
    """Where things lie in the device's address space, in bytes."""

    sram: Figure[int] = field(metadata=address("start of SRAM"))
    fram: Figure[int] = field(metadata=address("start of FRAM's first bank"))
    fram_bank: Figure[int] = field(metadata=address("distance from one FRAM bank to the next"))
    pram: Figure[int] = field(metadata=address("start of program memory"))
    ddr: Figure[int] = field(metadata=address("start of DDR"))
    data: Figure[int] = field(metadata=address("start of the DDR region that buffers come from"))
    alias: Figure[int] = field(metadata=address("added to an address for the view that DMA descriptors use"))
