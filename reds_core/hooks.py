"""The markers of hooks: `hookimpl` for plugin packages, `hookspec` for the specifications in `kinds`."""

from __future__ import annotations

import pluggy

PROJECT = "reds"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
