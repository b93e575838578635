"""The project of an API key: uploads to it, and the jobs that it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any

from reds_core.errors import RedsError, UnavailableError, UnsupportedError
from reds_edge_impulse.account import SET_KEY, Account
from reds_edge_impulse.connection import TRIES, Connection, Refusal, unreadable
from reds_edge_impulse.deadline import Deadline

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
"""Seconds between two questions whether a job has ended. They double from the first to the longest."""
CANCEL_S = 10.0
"""Seconds in which a job has to be cancelled, which may begin after the deadline."""
LONGEST_NAME = 200
STILL_RUNNING = "Job is still running"
"""What the service may say instead of a state without an end."""


class Project:
    """The project that an API key belongs to.

    Args:
        account: Where the service is, and the key.
        limit_s: By when everything has to be done, in seconds from now.

    Raises:
        InputError: If the limit is not a positive number.
        UnavailableError: If the service cannot be used.
    """

    def __init__(self, account: Account, limit_s: float) -> None:
        self._account = account
        self._connection = Connection(account, Deadline.after(limit_s))
        import edgeimpulse_api as api

        client = self._connection.client
        self._learn, self._jobs = api.LearnApi(client), api.JobsApi(client)
        self._projects, self._deployment = api.ProjectsApi(client), api.DeploymentApi(client)
        found = self._connection.read(self._projects.list_projects).projects
        if not found:
            raise UnavailableError("the key of Edge Impulse opens no project", SET_KEY)
        self._id = _whole(getattr(found[0], "id", None), "the id of the project")

    def devices(self) -> tuple[str, ...]:
        """Return the names of the devices that the service knows, the target device of the project first."""
        info = self._connection.read(self._projects.get_project_info, self._id)
        known = [device for device in info.latency_devices or () if _is_name(device.mcu)]
        return tuple(dict.fromkeys(device.mcu for device in sorted(known, key=lambda d: d.selected is not True)))

    def upload(self, path: Path, device: str | None = None) -> None:
        """Upload a .tflite file as the model of the project, in place of the one before.

        Args:
            path: The path of the file.
            device: For which device it will be profiled.

        Raises:
            UnsupportedError: If the service refuses the file.
            UnavailableError: If it cannot be used.
        """
        try:
            started = self._connection.ask(
                self._learn.upload_pretrained_model,
                self._id,
                model_file=str(path),
                model_file_name=path.name,
                model_file_type="tflite",
                device=device,
            )
        except Refusal as refusal:
            raise _refused(path, refusal.said) from refusal
        self._finish(started, path, "reading it")

    def profile(self, path: Path) -> Any:
        """Let the service profile the uploaded file at `path`, and return what it knows of the model."""
        self._finish(self._connection.ask(self._learn.profile_pretrained_model, self._id), path, "profiling it")
        return self.model(path)

    def model(self, path: Path) -> Any:
        """Return what the service knows of the uploaded file at `path`."""
        return self._connection.read(self._learn.get_pretrained_model_info, self._id)

    def targets(self) -> tuple[str, ...]:
        """Return the names of what the service can build of the model."""
        found = self._connection.read(
            self._deployment.list_deployment_targets_for_project_data_sources, self._id
        ).targets
        return tuple(dict.fromkeys(target.format for target in found or () if _is_name(target.format)))

    def shown(self, text: str) -> str:
        """Return a text of the service as one short line without the key."""
        return self._connection.shown(text)

    def describe(self, kind: str, labels: Sequence[str]) -> None:
        """Say what the outputs of the model mean.

        Args:
            kind: The kind of model, "classification" or "regression".
            labels: The names of the classes; empty for a regression.
        """
        from edgeimpulse_api.models.save_pretrained_model_request import SavePretrainedModelRequest

        meaning = {"modelType": kind, **({"labels": list(labels)} if labels else {})}
        request = SavePretrainedModelRequest.from_dict({"input": {"inputType": "other"}, "model": meaning})
        self._connection.ask(
            self._learn.save_pretrained_model_parameters, self._id, save_pretrained_model_request=request
        )

    def build(self, path: Path, target: str, engine: str, kind: str) -> tuple[str, bytes]:
        """Let the service build the model, and download the result.

        Args:
            path: The path of the file that was uploaded, for messages.
            target: One of `targets`.
            engine: What runs the model, such as "tflite-eon".
            kind: The kind of numbers in the model, "int8" or "float32".

        Returns:
            The name that the service gives to the result, empty if it gives none, and its content.
        """
        from edgeimpulse_api.models.build_on_device_model_request import BuildOnDeviceModelRequest

        request = BuildOnDeviceModelRequest.from_dict({"engine": engine, "modelType": kind})
        try:
            started = self._connection.ask(
                self._jobs.build_on_device_model_job, self._id, type=target, build_on_device_model_request=request
            )
        except Refusal as refusal:
            raise _refused(path, refusal.said) from refusal
        self._finish(started, path, "building it")

        def downloaded(**limits: float) -> tuple[str, bytes]:
            answer = self._deployment.download_build(
                self._id, type=target, engine=engine, model_type=kind, _preload_content=False, **limits
            )
            return str(answer.headers.get("Content-Disposition") or ""), bytes(answer.data)

        found: tuple[str, bytes] = self._connection.fetch(downloaded, tries=TRIES)
        return found

    def _finish(self, started: Any, path: Path, doing: str) -> None:
        """Wait until a job has ended. It is cancelled if it takes too long, or if the waiting is interrupted.

        Args:
            started: The answer with which the service started it.
            path: The path of the file, for messages.
            doing: What the job does, for messages.

        Raises:
            UnsupportedError: If it fails.
            UnavailableError: If it takes too long.
        """
        job = _whole(getattr(started, "id", None), "the id of the job")
        try:
            ended = self._ended(job)
        except BaseException:  # also Ctrl-C: the service would go on with what nobody waits for
            self._cancel(job)
            raise
        if ended.finished_successful is False:
            raise UnsupportedError(
                f"Edge Impulse failed at '{path}' while {doing} ({self._last_line(job)})",
                "look at the job in Edge Impulse Studio",
            )

    def _ended(self, job: int) -> Any:
        """Return the state of a job once it has ended."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                state = self._connection.read(self._jobs.get_job_status, self._id, job).job
            except Refusal as refusal:
                if refusal.said != STILL_RUNNING:
                    raise
            else:
                if state is None:
                    raise unreadable("it lacks the field job")
                if state.finished:
                    return state
            sleep(self._connection.deadline.seconds(pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _cancel(self, job: int) -> None:
        with contextlib.suppress(RedsError):  # the error that is on its way says more
            limited = Connection(self._account, Deadline.after(CANCEL_S))
            limited.ask(type(self._jobs)(limited.client).cancel_job, self._id, job, force_cancel="true")

    def _last_line(self, job: int) -> str:
        """Return the last line that a job printed."""
        with contextlib.suppress(RedsError):
            entries = self._connection.read(self._jobs.get_jobs_logs, self._id, job).stdout or ()
            printed = sorted((str(e.created), index, str(e.data)) for index, e in enumerate(entries))
            lines = [line.strip() for *_, text in printed for line in text.splitlines() if line.strip()]
            if lines:
                return self._connection.shown(lines[-1]).rstrip(".")
        return "no reason is given"


def _refused(path: Path, said: str) -> UnsupportedError:
    return UnsupportedError(f"Edge Impulse refuses '{path}' ({said.rstrip('.')})", "look at the project in its Studio")


def _is_name(value: object) -> bool:
    """Whether the service gives a name that can be shown."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_NAME


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise unreadable(f"{name} is not a number")
    return value
