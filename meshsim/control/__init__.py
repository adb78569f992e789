"""Control processes: SimPy processes that look at a run and change it, the same on both engines."""

from __future__ import annotations

from meshsim.control.control import Control, Controller
from meshsim.control.drive import drive
from meshsim.control.window import TrafficWindow, Window, WorkWindow

__all__ = ["Control", "Controller", "TrafficWindow", "Window", "WorkWindow", "drive"]
