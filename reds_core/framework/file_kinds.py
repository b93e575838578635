"""The kinds of files that are written for a model: their names in plans, and the names of the files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

FLOAT32_BYTES = 4
"""The bytes of a number of type float32."""
INT8_BYTES = 1
"""The bytes of a number of type int8."""


@dataclass(frozen=True)
class FileKind:
    """A kind of file, such as `FileKind("onnx-int8", "ONNX", "-int8.onnx", "int8", INT8_BYTES)`.

    Attributes:
        name: its name in plans: that of the target that writes it. Plans of version 1 have underscores for hyphens.
        format: the displayed name of the file format.
        suffix: the end of the names of its files, after the name of the network.
        numbers: the displayed type of its weights; empty if the format has only one.
        element_size_bytes: size of a weight and of an activation: 4, or 1 for a file that only uses 8-bit integers and
            is calibrated on training data. None if weights and activations have other sizes.
        is_calibrated: whether such a file can only be written with examples on which it is calibrated; always true for
            files that only use 8-bit integers.
    """

    name: str
    format: str
    suffix: str
    numbers: str = ""
    element_size_bytes: int | None = FLOAT32_BYTES
    is_calibrated: bool = False

    def __post_init__(self) -> None:
        if self.is_int8:
            object.__setattr__(self, "is_calibrated", True)

    @property
    def in_version_1(self) -> FileKind:
        """The kind with its name in plans of version 1."""
        return dataclasses.replace(self, name=self.name.replace("-", "_"))

    @property
    def title(self) -> str:
        """The name in tables and figures: the format and the type of its weights."""
        return f"{self.format} {self.numbers}".rstrip()

    @property
    def is_int8(self) -> bool:
        """Whether files of this kind only use 8-bit integers."""
        return self.element_size_bytes == INT8_BYTES

    @property
    def column(self) -> str:
        """The short name in titles of columns, for example int8."""
        return self.numbers if self.is_int8 and self.numbers else self.name

    def file_name(self, stem: str) -> str:
        """Return the name of the file of this kind for the network `stem`, such as `subnet-50`."""
        return f"{stem}{self.suffix}"


@dataclass(frozen=True)
class FileKinds:
    """The kinds of files that are written for each network.

    Attributes:
        model: the framework's own file, which `save_model` writes and `load_model` reads.
        exported: files for devices, which targets write in this order.
    """

    model: FileKind
    exported: tuple[FileKind, ...] = ()

    @property
    def all(self) -> tuple[FileKind, ...]:
        """The model's kind, followed by the exported ones."""
        return (self.model, *self.exported)

    @property
    def int8(self) -> FileKind | None:
        """The first exported kind that only uses 8-bit integers, or None."""
        return self.exported_with(INT8_BYTES)

    def exported_with(self, element_size_bytes: int) -> FileKind | None:
        """Return the first exported kind with this element size, or None."""
        return next((k for k in self.exported if k.element_size_bytes == element_size_bytes), None)

    def file_names(self, stem: str) -> dict[str, str]:
        """Return the names of all files of one network by kind."""
        return {kind.name: kind.file_name(stem) for kind in self.all}


def file_kinds_of(names: Iterable[str], known: Iterable[FileKinds]) -> FileKinds:
    """Return the kinds with these names, as one of `known` declares them.

    Without names, the result is the first of `known`. If none of `known` declares all the names, the result has kinds
    with these titles and without suffixes.

    Args:
        names: names of kinds, the model's first if it is among them.
        known: the kinds of files that each installed framework and the targets made from it write.
    """
    names = list(names)
    for kinds in known:
        if not names:
            return kinds
        by_name = {kind.name: kind for kind in kinds.all}
        if by_name.keys() >= set(names):
            return FileKinds(kinds.model, tuple(by_name[name] for name in names if name != kinds.model.name))
    model, *exported = [FileKind(name, name, "") for name in names or ["model"]]
    return FileKinds(model, tuple(exported))
