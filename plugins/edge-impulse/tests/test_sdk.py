"""What Edge Impulse's own SDK sends to the service is what reds sends, and its answer is read alike."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from reds_edge_impulse.device import EdgeImpulse
from stand_in import Request, StandIn

from reds_core.framework import MemberFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("edgeimpulse") is None, reason="edgeimpulse is not installed"),
]
M4 = "cortex-m4f-80mhz"
WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = sys.modules['pandas'] = None\n"
"""The SDK imports these if they are installed, only for other kinds of models."""
PROFILE = """
import json
import edgeimpulse
found = edgeimpulse.model.profile(model=sys.argv[1], device=sys.argv[2], timeout_sec=30).model.profile_info.int8
print(json.dumps([found.time_per_inference_ms, found.memory.tflite.arena_size, found.memory.tflite.rom]))
"""
DEPLOY = """
import edgeimpulse
from edgeimpulse.model.output_type import Classification
edgeimpulse.model.deploy(
    model=sys.argv[1], model_output_type=Classification(), engine="tflite-eon", deploy_model_type="int8",
    output_directory=sys.argv[2], timeout_sec=30,
)
"""


def run_sdk(program: str, *arguments: object) -> str:
    """Run a program with the SDK and return what it prints."""
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


def distinct(requests: list[Request]) -> set[str]:
    """The requests with all that they carry. Only the SDK asks for the log of jobs that have not failed."""

    def text(request: Request) -> str:
        carried: list[Any] = [request.line, dict(request.query), dict(request.fields), request.file_name]
        return json.dumps([*carried, request.file.hex()], sort_keys=True)

    return {text(request) for request in requests if not request.line.endswith("/stdout")}


def test_profiles(service: StandIn, int8_file: Path) -> None:
    printed = json.loads(run_sdk(PROFILE, int8_file, M4))
    of_sdk, service.requests = service.requests, []
    device = EdgeImpulse()
    assert M4 in device.known_configurations()
    profile = device.profile(int8_file, M4)
    assert printed == [(profile.latency_ns or 0) / 1e6, profile.arena, profile.flash]
    assert distinct(of_sdk) == distinct(service.requests)
    assert len(of_sdk) > 7


def test_archives(service: StandIn, int8_file: Path, tmp_path: Path) -> None:
    run_sdk(DEPLOY, int8_file, tmp_path / "sdk")
    of_sdk, service.requests = service.requests, []
    out = tmp_path / "own"
    out.mkdir()
    options = EdgeImpulse.Options(engine="eon")
    [path] = EdgeImpulse(options).deploy([MemberFile("50", int8_file)], out).files
    [other] = (tmp_path / "sdk").iterdir()
    assert path.read_bytes() == other.read_bytes()
    assert distinct(of_sdk) == distinct(service.requests)
