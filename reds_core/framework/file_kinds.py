"""The kinds of files that a framework writes of a model: how plans name them, and how their files are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FLOAT32_BYTES, INT8_BYTES = 4, 1
"""Bytes of a weight or an activation in a file of each."""


@dataclass(frozen=True)
class FileKind:
    """One kind of file, as `FileKind("onnx_int8", "ONNX", "-int8.onnx", "int8", INT8_BYTES)`.

    Attributes:
        name: what plans call it.
        format: the name of the file format, for people.
        suffix: what its files' names end in, behind the name of the network.
        numbers: the type of its weights, for people; empty where a format has only one.
        element_size_bytes: of a weight or an activation in it: 4, or 1 for a file that computes with 8-bit integers
            alone, which is calibrated on training data.
    """

    name: str
    format: str
    suffix: str
    numbers: str = ""
    element_size_bytes: int = FLOAT32_BYTES

    @property
    def title(self) -> str:
        """What tables and figures call it: the format and its numbers."""
        return f"{self.format} {self.numbers}".rstrip()

    @property
    def is_int8(self) -> bool:
        """Whether it computes with 8-bit integers alone."""
        return self.element_size_bytes == INT8_BYTES

    @property
    def column(self) -> str:
        """What it is called in the names of columns, where the format would be too long: int8."""
        return self.numbers if self.is_int8 and self.numbers else self.name

    def file_name(self, stem: str) -> str:
        """The name of the file of this kind that belongs to `stem`, such as `subnet-50`."""
        return f"{stem}{self.suffix}"


@dataclass(frozen=True)
class FileKinds:
    """The kinds of files that are written of each network.

    Attributes:
        model: the framework's own file, which `save_model` writes and `load_model` reads.
        exported: files for devices, which `export` writes, in this order. Where a network cannot be expressed in one of
            them, those that follow are left out as well.
    """

    model: FileKind
    exported: tuple[FileKind, ...] = ()

    @property
    def all(self) -> tuple[FileKind, ...]:
        """The model's kind, then the exported ones."""
        return (self.model, *self.exported)

    @property
    def int8(self) -> FileKind | None:
        """The first that computes with 8-bit integers alone, or None."""
        return self.exported_with(INT8_BYTES)

    def exported_with(self, element_size_bytes: int) -> FileKind | None:
        """The first exported kind of an element size, or None."""
        return next((k for k in self.exported if k.element_size_bytes == element_size_bytes), None)

    def file_names(self, stem: str) -> dict[str, str]:
        """By kind the names of all files of one network."""
        return {kind.name: kind.file_name(stem) for kind in self.all}


def file_kinds_of(names: Iterable[str], known: Iterable[FileKinds]) -> FileKinds:
    """The kinds that a plan names, the model's first, as one of `known` declares them.

    Where none of them declares all the names, kinds are called by their bare names and have no suffixes.
    """
    names = list(names)
    for kinds in known:
        if {kind.name for kind in kinds.all} >= set(names):
            return kinds
    model, *exported = [FileKind(name, name, "") for name in names or ["model"]]
    return FileKinds(model, tuple(exported))
