"""The words through which a launch and its workers speak."""

from __future__ import annotations

from enum import IntEnum


class Context(IntEnum):
    """Words of the context."""

    NEXT = 0  # block to be taken next
    TOTAL = 1
    CHUNK = 2
    GRID = 3  # three words
    MEMORY = 6  # host address of device address 0, below SPLIT
    HIGH = 7  # the same from SPLIT on
    SPLIT = 8
    PARAMS = 9
    FRAME = 10  # offset of the frame in the scratch
    STOP = 11  # 0; 1 to end the launch; 2 once a thread has stopped it, with site, block and thread in the next words
    PRINT = 15  # host address, capacity, bytes used, records dropped
    EACH = 19  # bytes of scratch of each block, where all blocks wait for the whole grid
    WAITING = 20  # blocks that do so
    WATCH = 21  # host address, capacity, bytes used, records dropped
    RUN = 25  # blocks are watched in runs of this many,
    EVERY = 26  # one run out of this many
    SYMBOLS = 27
