"""RPP programs as kernel IR: from there they run on every engine that kernel IR has."""

from __future__ import annotations

from openrpp.codegen.lift.device import LiftedDevice
from openrpp.codegen.lift.lifter import lift
from openrpp.codegen.lift.program import Lifted
from openrpp.codegen.lift.run import Ran, Shapes, look_ahead, run_lifted

__all__ = ["Lifted", "LiftedDevice", "Ran", "Shapes", "lift", "look_ahead", "run_lifted"]
