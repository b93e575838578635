"""Lets Edge Impulse build archives of the members of a family, such as C++ libraries."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import MemberFile
from reds_core.system import write_bytes
from reds_edge_impulse.connection import unreadable
from reds_edge_impulse.estimates import Engine
from reds_edge_impulse.model_file import ModelFile
from reds_edge_impulse.project import Project

Output = Literal["classification", "regression"]
ENGINES: dict[Engine, str] = {
    "tflite": "tflite",
    "eon": "tflite-eon",
    "eon-ram-optimized": "tflite-eon-ram-optimized",
}
"""The names of engines in requests to build."""
_NAME = re.compile(r"filename\*?=(?:utf-8'')?\"?[^\";]*?(\.[A-Za-z0-9]{1,8})\"?\s*(?:;|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What is built of each member.

    Attributes:
        target: The name of a deployment of Edge Impulse, such as "zip" for a C++ library.
        engine: What runs the model.
        output: What the outputs of the networks are.
        labels: The names of the classes; empty to number them.
    """

    target: str
    engine: Engine
    output: Output
    labels: tuple[str, ...]


def write_archives(
    order: Order, files: Sequence[MemberFile], out: Path, open_project: Callable[[], Project]
) -> tuple[Path, ...]:
    """Write one archive for each member, which is named like it.

    Args:
        order: What is built.
        files: The files of the members.
        out: The folder to write to.
        open_project: Opens the project, with a time limit of its own for each member.

    Raises:
        InputError: If a file is missing or damaged, the service has no such deployment, or labels do not fit.
        UnsupportedError: If the service cannot build a member.
        UnavailableError: If it cannot be used.
    """
    read = [(member.name, ModelFile.at(member.path)) for member in files]
    known = open_project().targets()
    if order.target not in known:
        raise InputError(
            f"Edge Impulse has no deployment '{order.target}'",
            f"give edge-impulse.deploy_target one of: {', '.join(known)}",
        )
    return tuple(_written(order, name, file, out, open_project()) for name, file in read)


def _written(order: Order, name: str, file: ModelFile, out: Path, project: Project) -> Path:
    project.upload(file.path)
    answer = project.model(file.path)
    if file.numbers not in (answer.available_model_types or ()):
        raise UnsupportedError(
            f"Edge Impulse does not take '{file.path}' for a network of {file.numbers} numbers",
            "look at the project in Edge Impulse Studio",
        )
    project.describe(order.output, _labels(order, file, answer))
    told, content = project.build(file.path, order.target, ENGINES[order.engine], file.numbers)
    found = _NAME.search(told)
    is_zip = zipfile.is_zipfile(io.BytesIO(content))
    ending = found[1] if found is not None else ".zip" if is_zip else ".bin"
    if not content or (ending == ".zip" and not is_zip):
        raise unreadable(f"the archive of '{name}' is not complete")
    path = out / f"{name}{ending}"
    write_bytes(path, content)
    return path


def _labels(order: Order, file: ModelFile, answer: Any) -> tuple[str, ...]:
    """Return the names of the classes; none for a regression.

    Raises:
        UnsupportedError: If the outputs of the network are of another form.
        InputError: If there are more or fewer names than classes.
    """
    outputs = (None if answer.model is None else answer.model.outputs) or ()
    shapes = [tuple(tensor.shape or ()) for tensor in outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or not all(isinstance(size, int) for size in shapes[0]):
        raise UnsupportedError(
            f"Edge Impulse builds networks with one output of shape (1, N), and '{file.path}' has {shapes or 'none'}",
            "deploy a network for classification or regression",
        )
    count = shapes[0][1]
    if order.output == "regression":
        if count != 1:
            raise UnsupportedError(
                f"Edge Impulse takes one number of a regression, and '{file.path}' has {count}",
                "give edge-impulse.output=classification",
            )
        return ()
    if order.labels and len(order.labels) != count:
        raise InputError(
            f"edge-impulse.labels has {len(order.labels)} names, and '{file.path}' has {count} classes",
            "give a name for each class",
        )
    return order.labels or tuple(map(str, range(count)))
