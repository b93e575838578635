"""A stand-in for the service of Edge Impulse, which checks every request and answers like the service.

Paths and fields are those of version 1.96.3 of its own client, edgeimpulse-api. Whatever does not fit is collected as a
complaint: a request without the key, to an unknown path, in a wrong order, or with fields that the client does not
document.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

KEY = "ei_0123456789abcdef"
PROJECT = 42
DEVICES = ("cortex-m4f-80mhz", "cortex-m7-216mhz", "raspberry-pi-4")
TARGETS = ("zip", "arduino", "runner-linux-aarch64")
CREATED = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: "GET" or "POST".
        path: Its path behind /v1/api.
        query: The parameters behind the path.
        fields: The fields of a form, or of a JSON object.
        file: The file in the form; empty if there is none.
        file_name: The name of that file.
    """

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, Any] = field(default_factory=dict)
    file: bytes = b""
    file_name: str = ""

    @property
    def line(self) -> str:
        """The method and the path, with the ids of projects and jobs left out."""
        return f"{self.method} {'/'.join('N' if part.isdigit() else part for part in self.path.split('/'))}"


@dataclass
class Behaviour:
    """How the stand-in behaves; tests change it.

    Attributes:
        devices: The devices that it knows.
        selected: The target device of the project.
        polls: How often it says that a job runs before it has ended.
        endless: Kinds of jobs that never end, of "upload", "profile" and "build".
        failing: Kinds of jobs that fail.
        log: What failing jobs print.
        answers: Status and body that are sent instead of the answer to a request, by its line.
        hang: Requests that are never answered, by their line.
        drop: How many connections are closed without an answer, by the line of the request.
        profile: Changes to the profile of a model.
        model: Changes to what is known of the model.
        outputs: The shapes of the outputs of the model.
        disposition: The header that names a download, with {} for the ending.
        archive: What is downloaded; None for an archive that holds the model.
    """

    devices: tuple[str, ...] = DEVICES
    selected: str | None = "cortex-m7-216mhz"
    polls: int = 1
    endless: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    log: tuple[str, ...] = ("Loading the model...", "ERR: operator XYZ is not known\n")
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    hang: frozenset[str] = frozenset()
    drop: dict[str, int] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[tuple[int, ...], ...] = ((1, 4),)
    disposition: str = "attachment; filename*=utf-8''project-cpp-mcu-v1.zip"
    archive: bytes | None = None


@dataclass
class _Job:
    kind: str
    polls: int = 0
    has_ended: bool = False


class StandIn:
    """The service on a port of this machine, inside a `with` block.

    Attributes:
        behaviour: How it behaves.
        requests: The requests that arrived.
        complaints: What was wrong with them.
        cancelled: The kinds of the jobs that were cancelled.
    """

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.cancelled: list[str] = []
        self._jobs: dict[int, _Job] = {}
        self._upload: Request | None = None
        self._device: str | None = None
        self._described: Mapping[str, Any] | None = None
        self._is_profiled = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """The address to give to clients."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def lines(self) -> list[str]:
        """The requests by method and path, with repeated questions for the state of a job left out."""
        kept: list[str] = []
        for request in self.requests:
            if not (kept and kept[-1] == request.line and request.line.endswith("/status")):
                kept.append(request.line)
        return kept

    def answer(self, request: Request, key: str | None) -> tuple[int, bytes, dict[str, str]] | None:
        """Return the status, the body and the headers that answer a request; None to close the connection."""
        with self._lock:
            self.requests.append(request)
            line = request.line
            if self.behaviour.drop.get(line, 0) > 0:
                self.behaviour.drop[line] -= 1
                return None
        if line in self.behaviour.hang:
            self._over.wait(60)
            return None
        if line in self.behaviour.answers:
            status, body = self.behaviour.answers[line]
            return status, body, {"Location": f"{self.endpoint}/elsewhere"} if status in (301, 302) else {}
        if key != KEY:
            return 401, b'{"success": false, "error": "Invalid API key"}', {}
        with self._lock:
            try:
                made = self._made(request)
            except (KeyError, AssertionError) as error:
                self.complaints.append(f"{line}: {type(error).__name__} {error}")
                return 500, b"", {}
        if isinstance(made, tuple):
            return 200, *made
        return 200, json.dumps({"success": True, **made}).encode(), {}

    def _made(self, request: Request) -> dict[str, Any] | tuple[bytes, dict[str, str]]:
        line, behaviour = request.line, self.behaviour
        if line != "GET /projects":
            assert request.path.split("/")[1] == str(PROJECT), "another project"
        if line.startswith(("GET /N/jobs/", "POST /N/jobs/N/")):
            return self._of_job(request)
        match line:
            case "GET /projects":
                return {"projects": [{"id": PROJECT, "name": "stand-in"}]}
            case "GET /N":
                return {
                    "latencyDevices": [
                        {"mcu": mcu, "name": mcu.title(), "selected": mcu == behaviour.selected, "helpText": ""}
                        for mcu in behaviour.devices
                    ]
                }
            case "POST /N/pretrained-model/upload":
                return self._uploaded(request)
            case "POST /N/pretrained-model/profile":
                assert self._has_ended("upload"), "profiled before the upload has ended"
                assert not request.fields
                assert not request.file
                self._is_profiled = True
                return {"id": self._started("profile")}
            case "GET /N/pretrained-model":
                assert self._has_ended("upload"), "asked before the upload has ended"
                return self._known()
            case "GET /N/deployment/targets/data-sources":
                return {"targets": [{"format": name, "name": name, "description": ""} for name in TARGETS]}
            case "POST /N/pretrained-model/save":
                assert self._has_ended("upload")
                assert set(request.fields) == {"input", "model"}
                self._described = request.fields
                return {}
            case "POST /N/jobs/build-ondevice-model":
                assert self._described is not None, "built before the outputs are described"
                assert request.query["type"] in TARGETS
                assert set(request.fields) == {"engine", "modelType"}
                return {"id": self._started("build"), "deploymentVersion": 1}
            case "GET /N/deployment/download":
                return self._built(request)
        raise AssertionError("unknown path")

    def _uploaded(self, request: Request) -> dict[str, Any]:
        assert set(request.fields) - {"device"} == {"modelFileName", "modelFileType"}
        assert request.fields["modelFileType"] == "tflite"
        assert request.fields["modelFileName"] == request.file_name
        assert request.file[4:8] == b"TFL3"
        device = request.fields.get("device")
        assert device is None or device in self.behaviour.devices
        self._upload, self._device, self._described, self._is_profiled = request, device, None, False
        return {"id": self._started("upload")}

    def _of_job(self, request: Request) -> dict[str, Any]:
        _, _, _, number, action = request.path.split("/")
        job = self._jobs[int(number)]
        if action == "cancel":
            assert request.method == "POST"
            assert request.query == {"forceCancel": "true"}
            self.cancelled.append(job.kind)
            return {}
        assert request.method == "GET"
        if action == "stdout":
            entries = [
                {"created": f"2026-01-01T00:00:0{i}.000Z", "data": text} for i, text in enumerate(self.behaviour.log)
            ]
            return {"stdout": entries[::-1], "totalCount": len(entries)}
        assert action == "status"
        job.polls += 1
        job.has_ended = job.polls > self.behaviour.polls and job.kind not in self.behaviour.endless
        ended = {"finished": CREATED, "finishedSuccessful": job.kind not in self.behaviour.failing}
        return {"job": {"id": int(number), "created": CREATED, **(ended if job.has_ended else {})}}

    def _known(self) -> dict[str, Any]:
        assert self._upload is not None
        kind = kind_of(self._upload.file)
        tensors = [{"dataType": kind, "name": f"output{i}", "shape": s} for i, s in enumerate(self.behaviour.outputs)]
        model: dict[str, Any] = {"fileName": self._upload.file_name, "inputs": [], "outputs": tensors}
        if self._is_profiled:
            model["profileInfo"] = {kind: {**self._profile(kind), **self.behaviour.profile}, "table": self._table(kind)}
        known = {"specificDeviceSelected": self._device is not None, "availableModelTypes": [kind]}
        return {**known, "model": {**model, **self.behaviour.model}}

    def _profile(self, kind: str) -> dict[str, Any]:
        """The profile of the model, whose figures follow from the size of the file that was uploaded."""
        assert self._upload is not None
        return {
            "variant": kind,
            "device": self._device,
            "tfliteFileSizeBytes": len(self._upload.file),
            "isSupportedOnMcu": True,
            "timePerInferenceMs": 3 if kind == "int8" else 7,
            "memory": memory_of(self._upload.file),
            "customMetrics": [],
            "hasPerformance": True,
        }

    def _table(self, kind: str) -> dict[str, Any]:
        on_mcu = {"description": "", "timePerInferenceMs": 4, "memory": {}, "supported": True}
        beyond = {"description": "", "timePerInferenceMs": 1, "rom": 1.0, "supported": True}
        of_mcus = dict.fromkeys(("lowEndMcu", "highEndMcu", "highEndMcuPlusAccelerator"), on_mcu)
        return {"variant": kind, **of_mcus, "mpu": beyond, "gpuOrMpuAccelerator": beyond}

    def _built(self, request: Request) -> tuple[bytes, dict[str, str]]:
        assert self._upload is not None
        assert self._has_ended("build"), "downloaded before it was built"
        assert set(request.query) == {"type", "modelType", "engine"}
        content = self.behaviour.archive
        if content is None:
            content = archive_of(self._upload.file, self._described, request.query)
        return content, {"Content-Disposition": self.behaviour.disposition}

    def _started(self, kind: str) -> int:
        self._jobs[len(self._jobs) + 7] = _Job(kind)
        return len(self._jobs) + 6

    def _has_ended(self, kind: str) -> bool:
        """Whether the latest job is of a kind, or a later one than the latest of that kind, and no job still runs."""
        return any(job.kind == kind for job in self._jobs.values()) and all(j.has_ended for j in self._jobs.values())


def kind_of(content: bytes) -> str:
    """The kind of numbers in a .tflite file, by the type of its first input."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    return "int8" if graph.Tensors(graph.Inputs(0)).Type() == schema.TensorType.INT8 else "float32"


def memory_of(content: bytes) -> dict[str, dict[str, int]]:
    """The memory of each engine for a file. It differs between files and between engines."""
    return {
        engine: {"ram": len(content) + less, "arenaSize": len(content) - less, "rom": 30 * len(content) - less}
        for engine, less in {"tflite": 10, "eon": 100, "eonRamOptimized": 200}.items()
    }


def archive_of(content: bytes, described: Any, built: Mapping[str, str]) -> bytes:
    """A .zip archive that holds the model, what was said of it, and how it was built."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        about = json.dumps({"described": described, "built": dict(built)}, sort_keys=True).encode()
        for name, entry in (("model.tflite", content), ("about.json", about)):
            archive.writestr(zipfile.ZipInfo(name), entry)  # with the same date at any time
    return stream.getvalue()


def _handler(service: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            where = urlsplit(self.path)
            path = where.path.removeprefix("/v1/api")
            if path == where.path:
                service.complaints.append(f"{self.command} {self.path}")
            fields, file, name = _read(str(self.headers.get("Content-Type") or ""), body)
            request = Request(self.command, path, dict(parse_qsl(where.query)), fields, file, name)
            answer = service.answer(request, self.headers.get("x-api-key"))
            if answer is None:
                self.close_connection = True
                return
            status, content, headers = answer
            self.send_response(status)
            for each, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(each, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = respond

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


def _read(kind: str, body: bytes) -> tuple[dict[str, Any], bytes, str]:
    """Return the fields of a request, the file in it, and the name of that file."""
    if kind.startswith("multipart/form-data"):
        message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        fields, file, name = {}, b"", ""
        for part in message.iter_parts():
            field_name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if part.get_filename() is None:
                fields[str(field_name)] = content.decode()
            else:
                assert field_name == "modelFile", field_name
                file, name = content, str(part.get_filename())
        return fields, file, name
    return (json.loads(body) if body.strip() else {}), b"", ""
