"""The device. The client of Edge Impulse and LiteRT are imported in the methods that need them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reds_core.errors import UnavailableError
from reds_core.framework import Deployment, Device, MemberFile, Profile

if TYPE_CHECKING:
    from reds_edge_impulse.project import Project


@dataclass(frozen=True)
class EdgeImpulseOptions:
    """Options of Edge Impulse.

    Attributes:
        engine: what runs the file on the device: tflite for TensorFlow Lite for Microcontrollers, eon for code of the
            EON Compiler, eon-ram-optimized for such code that takes less RAM.
        timeout_s: after how many seconds reds gives up on a file and cancels its job.
        deploy_target: what is built of each member of a family: zip for a C++ library, or another deployment of Edge
            Impulse, such as arduino.
        output: what the outputs of a network that is built are: classification or regression.
        labels: the names of the classes of a network that is built, separated by commas. Without it they are numbered.
    """

    engine: Literal["tflite", "eon", "eon-ram-optimized"] = "tflite"
    timeout_s: float = 600.0
    deploy_target: str = "zip"
    output: Literal["classification", "regression"] = "classification"
    labels: str = ""


class EdgeImpulse(Device):
    """Edge Impulse, a service that estimates what files take on devices, and builds libraries for them.

    Files are uploaded to the project of the API key, in place of its model. The configurations are the devices that the
    service knows; the default is the target device of the project.
    """

    name = "edge-impulse"
    requires = ("edgeimpulse_api", "ai_edge_litert", "flatbuffers")
    install = "pip install 'reds-core[edge-impulse]'"
    reads = ("tflite-int8", "tflite")
    remark = (
        "Figures are estimates of Edge Impulse. Latency is given in whole milliseconds; less than one counts as not "
        "known. Flash is what it states as ROM, and the arena is not all of the RAM that it shows."
    )
    Options = EdgeImpulseOptions

    def known_configurations(self) -> tuple[str, ...]:
        return self._project().devices()

    def profile(self, path: Path, configuration: str | None = None) -> Profile:
        from reds_edge_impulse.estimates import profile_of
        from reds_edge_impulse.model_file import ModelFile

        options: EdgeImpulseOptions = self.options
        file = ModelFile.at(path)
        if configuration is None:
            raise UnavailableError(
                "Edge Impulse lists no devices for the project", "choose a target device in Edge Impulse Studio"
            )
        project = self._project()
        project.upload(path, configuration)
        return profile_of(project.profile(path), file, configuration, options.engine, project.shown)

    def deploy(self, files: Sequence[MemberFile], out: Path) -> Deployment:
        from reds_edge_impulse.archives import Order, write_archives

        options: EdgeImpulseOptions = self.options
        labels = tuple(label.strip() for label in options.labels.split(",") if label.strip())
        order = Order(options.deploy_target, options.engine, options.output, labels)
        return Deployment(write_archives(order, files, out, self._project))

    def _project(self) -> Project:
        from reds_edge_impulse.account import Account
        from reds_edge_impulse.project import Project

        options: EdgeImpulseOptions = self.options
        return Project(Account.from_environment(os.environ), options.timeout_s)
