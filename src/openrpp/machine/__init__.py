"""The card's insides: memories, the reference engine, timing.

>>> from openrpp.machine import Device, load_text, load_image, load_object
"""

from openrpp.isa.program import Kernel, Parameter
from openrpp.machine.device import Device, load_image, load_object, load_text
from openrpp.machine.faults import Fault, LaunchError, MachineError
from openrpp.machine.report import LaunchReport

__all__ = [
    "Device",
    "Fault",
    "Kernel",
    "LaunchError",
    "LaunchReport",
    "MachineError",
    "Parameter",
    "load_image",
    "load_object",
    "load_text",
]
