"""Jobs that fail or do not end, and services that refuse, break off, are slow, or are not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import reds_edge_impulse.connection
import reds_edge_impulse.project
from reds_edge_impulse.device import EdgeImpulse, EdgeImpulseOptions
from stand_in import KEY, StandIn

from reds_core.errors import UnavailableError, UnsupportedError

M4 = "cortex-m4f-80mhz"
UPLOAD, PROFILE = "POST /N/pretrained-model/upload", "POST /N/pretrained-model/profile"
STATUS, MODEL = "GET /N/jobs/N/status", "GET /N/pretrained-model"


def hurried(timeout_s: float) -> EdgeImpulse:
    """A device that gives up early."""
    return EdgeImpulse(EdgeImpulseOptions(timeout_s=timeout_s))


# --- jobs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "doing"), [("upload", "reading"), ("profile", "profiling")])
def test_a_failed_job_is_told_with_its_last_line(service: StandIn, int8_file: Path, kind: str, doing: str) -> None:
    service.behaviour.failing = frozenset({kind})
    message = rf"Edge Impulse failed at '.*' while {doing} it \(ERR: operator XYZ is not known\); look at the job"
    with pytest.raises(UnsupportedError, match=message):
        EdgeImpulse().profile(int8_file, M4)
    assert service.lines[-1] == "GET /N/jobs/N/stdout"
    assert service.cancelled == []


def test_a_failed_job_that_printed_nothing(service: StandIn, int8_file: Path) -> None:
    service.behaviour.failing, service.behaviour.log = frozenset({"profile"}), ()
    with pytest.raises(UnsupportedError, match="no reason is given"):
        EdgeImpulse().profile(int8_file, M4)


@pytest.mark.parametrize("kind", ["upload", "profile"])
def test_a_job_that_does_not_end_is_cancelled_at_the_deadline(service: StandIn, int8_file: Path, kind: str) -> None:
    service.behaviour.endless = frozenset({kind})
    EdgeImpulse().known_configurations()  # imports the client
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"not done within 1.5 s; raise edge-impulse.timeout_s"):
        hurried(1.5).profile(int8_file, M4)
    assert 1.4 < time.monotonic() - started < 5
    assert service.cancelled == [kind]


def test_a_job_is_cancelled_by_an_interruption(
    service: StandIn, int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reds_edge_impulse.project, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EdgeImpulse().profile(int8_file, M4)
    assert service.cancelled == ["upload"]


@pytest.mark.slow
def test_ctrl_c_cancels_the_job_and_leaves_no_process(service: StandIn, int8_file: Path) -> None:
    service.behaviour.endless = frozenset({"profile"})
    command = [sys.executable, "-m", "reds_core", "profile", str(int8_file), "--on", "edge-impulse", "--config", M4]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while service.lines[-1:] != [STATUS] or PROFILE not in service.lines:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, printed = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in printed
    assert KEY not in printed
    assert service.cancelled == ["profile"]
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def test_a_service_that_says_that_a_job_is_running_is_asked_again(service: StandIn, int8_file: Path) -> None:
    service.behaviour.answers[STATUS] = (200, b'{"success": false, "error": "Job is still running"}')
    with pytest.raises(UnavailableError, match="not done within 1 s"):
        hurried(1.0).profile(int8_file, M4)
    assert [request.line for request in service.requests].count(STATUS) > 1


# --- refusals and strange answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"), [(200, b'{"success": false, "error": "Not a model."}'), (400, b'{"error": "Not a model."}')]
)
def test_a_file_that_is_refused(service: StandIn, int8_file: Path, status: int, body: bytes) -> None:
    service.behaviour.answers[UPLOAD] = (status, body)
    with pytest.raises(UnsupportedError, match=r"Edge Impulse refuses '.*small-int8.tflite' \(Not a model\)"):
        EdgeImpulse().profile(int8_file, M4)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key(service: StandIn, int8_file: Path, status: int) -> None:
    service.behaviour.answers["GET /projects"] = (status, b"{}")
    with pytest.raises(UnavailableError, match=rf"refuses the key in EI_API_KEY \({status} "):
        EdgeImpulse().profile(int8_file, M4)


def test_a_key_in_an_answer_is_not_shown(service: StandIn, int8_file: Path) -> None:
    service.behaviour.answers["GET /projects"] = (200, f'{{"success": false, "error": "No {KEY}"}}'.encode())
    with pytest.raises(UnavailableError, match=r"refuses a request \(No \.\.\.\)"):
        EdgeImpulse().profile(int8_file, M4)


def test_a_key_without_a_project(service: StandIn) -> None:
    service.behaviour.answers["GET /projects"] = (200, b'{"success": true, "projects": []}')
    with pytest.raises(UnavailableError, match="opens no project"):
        EdgeImpulse().known_configurations()


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("GET /projects", b"<html>Welcome to this hotel</html>"),
        ("GET /projects", b'{"success": true, "projects": [{"id": "x"}]}'),
        ("GET /projects", b'{"projects": [{"id": 1}]}'),
        ("GET /projects", b"[]"),
        ("GET /projects", b"\xff\xfe"),
        ("GET /projects", b""),
        (UPLOAD, b'{"success": true}'),
        (UPLOAD, b'{"success": true, "id": "seven"}'),
        (PROFILE, b'{"success": true, "id": null}'),
        (STATUS, b'{"success": true}'),
        (STATUS, b"null"),
        (MODEL, b'{"success": true}'),
        (MODEL, b'{"success": true, "model": 3}'),
    ],
)
def test_answers_that_cannot_be_read(service: StandIn, int8_file: Path, line: str, body: bytes) -> None:
    service.behaviour.answers[line] = (200, body)
    with pytest.raises(UnavailableError, match="an answer of Edge Impulse cannot be read") as raised:
        EdgeImpulse().profile(int8_file, M4)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "message"), [(404, "answers 404 Not Found"), (429, "answers 429 Too Many"), (500, "answers 500")]
)
def test_errors_of_the_server(service: StandIn, status: int, message: str) -> None:
    service.behaviour.answers["GET /projects"] = (status, b"oops")
    with pytest.raises(UnavailableError, match=message):
        EdgeImpulse().known_configurations()
    assert len(service.requests) == 1


def test_the_key_does_not_follow_redirections(service: StandIn) -> None:
    service.behaviour.answers["GET /projects"] = (302, b"")
    with pytest.raises(UnavailableError, match=r"cannot be reached at .* \(it redirects requests\)"):
        EdgeImpulse().known_configurations()
    assert {request.path for request in service.requests} == {"/projects"}


# --- connections ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["GET /projects", STATUS, MODEL])
def test_questions_are_asked_again_when_the_connection_breaks(
    service: StandIn, int8_file: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reds_edge_impulse.connection, "PAUSE_S", 0.01)
    service.behaviour.drop[line] = 2
    assert EdgeImpulse().profile(int8_file, M4).flash
    service.behaviour.drop[line] = 3
    with pytest.raises(UnavailableError, match=r"cannot be reached at 127.0.0.1:\d+ \("):
        EdgeImpulse().profile(int8_file, M4)


@pytest.mark.parametrize("line", [UPLOAD, PROFILE])
def test_what_starts_a_job_is_sent_once(service: StandIn, int8_file: Path, line: str) -> None:
    service.behaviour.drop[line] = 1
    with pytest.raises(UnavailableError, match="cannot be reached"):
        EdgeImpulse().profile(int8_file, M4)
    assert [request.line for request in service.requests].count(line) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateways_are_asked_again(service: StandIn, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reds_edge_impulse.connection, "PAUSE_S", 0.01)
    service.behaviour.answers["GET /projects"] = (status, b"")
    with pytest.raises(UnavailableError, match=f"answers {status}"):
        EdgeImpulse().known_configurations()
    assert len(service.requests) == 3


def test_a_server_that_does_not_answer(service: StandIn, int8_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.behaviour.hang = frozenset({UPLOAD})
    monkeypatch.setattr(reds_edge_impulse.connection, "REQUEST_S", 0.2)
    with pytest.raises(UnavailableError, match=r"cannot be reached at .* \(no answer within 0.2 s\)"):
        EdgeImpulse().profile(int8_file, M4)


def test_the_deadline_holds_within_a_request(service: StandIn, int8_file: Path) -> None:
    service.behaviour.hang = frozenset({MODEL})
    EdgeImpulse().known_configurations()  # imports the client
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="not done within 2 s"):
        hurried(2.0).profile(int8_file, M4)
    assert time.monotonic() - started < 6


def test_a_refused_connection_is_told_at_once(
    installed: None, int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("EI_API_KEY", KEY)
    monkeypatch.setenv("EI_API_ENDPOINT", f"http://127.0.0.1:{port}/v1")
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=rf"cannot be reached at 127.0.0.1:{port} \(Connection refused\)"):
        EdgeImpulse().profile(int8_file, M4)
    assert time.monotonic() - started < 2


def test_a_host_without_an_address(installed: None, int8_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    monkeypatch.setenv("EI_API_KEY", KEY)
    monkeypatch.delenv("EI_API_ENDPOINT", raising=False)
    with pytest.raises(UnavailableError, match=r"reached at studio.edgeimpulse.com:443 \(Name or service not known\)"):
        EdgeImpulse().profile(int8_file, M4)
