"""The templates of plugin packages, one for each kind of plugin that can be started with `reds new`.

The files of a kind are those of `templates/KIND`, together with those of `templates/common`, which all kinds share. In
their paths, NAME is replaced by the name of the plugin; their texts are `string.Template`s. A new kind is one entry of
`TEMPLATES` and one folder.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from string import Template

from reds_core.scaffold.naming import PluginName

_SUFFIX = ".template"
_COMMON = "common"


@dataclass(frozen=True)
class PluginTemplate:
    """The template of one kind of plugin.

    Attributes:
        kind: The kind, as `reds plugins` calls it.
        example: What the example in the template does, as a phrase without an article.
        requirement: What the package depends on.
    """

    kind: str
    example: str
    requirement: str = "reds-core"

    def files(self, name: PluginName) -> dict[PurePosixPath, str]:
        """The files of the package of the plugin `name`: their texts by path, relative to the folder of the package."""
        root = importlib.resources.files("reds_core.scaffold") / "templates"
        words = {
            "name": name.name,
            "package": name.package,
            "distribution": name.distribution,
            "prefix": name.class_prefix.removesuffix(self.kind.capitalize()) or name.class_prefix,
            "requirement": self.requirement,
            "summary": f"The {self.kind} {name.name} for reds: {self.example}",
        }
        found = [entry for folder in (_COMMON, self.kind) for entry in _walk(root / folder, PurePosixPath())]
        return {_path(path, name): Template(file.read_text(encoding="utf-8")).substitute(words) for path, file in found}


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry, path / entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield path / entry.name.removesuffix(_SUFFIX), entry


def _path(path: PurePosixPath, name: PluginName) -> PurePosixPath:
    return PurePosixPath(*(part.replace("NAME", name.identifier) for part in path.parts))


TEMPLATES = {
    template.kind: template
    for template in (
        PluginTemplate("solver", "an iterated local search"),
        PluginTemplate("scorer", "sums of weight magnitudes on a logarithmic scale"),
        PluginTemplate("pruner", "all widths chosen at once, then one joint fine-tuning"),
        PluginTemplate("layers", "a layer type of your own", requirement="reds-core[tensorflow]"),
        PluginTemplate("transform", "fewer bits for the weights of large layers"),
        PluginTemplate("target", "files of packed integers for a device", requirement="reds-core[tensorflow]"),
        PluginTemplate("governor", "a share of the charge of the battery for each request"),
    )
}
"""The templates by kind."""
