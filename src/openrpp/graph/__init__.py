"""ONNX models on the card: import, passes, library kernels, memory plan, sessions (extra `openrpp[onnx]`)."""

from openrpp.graph.errors import GraphError, Unsupported
from openrpp.graph.plan import Port
from openrpp.graph.report import HostNode, SessionReport
from openrpp.graph.session import Session

__all__ = ["GraphError", "HostNode", "Port", "Session", "SessionReport", "Unsupported"]
