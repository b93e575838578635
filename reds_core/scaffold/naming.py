"""The names that a plugin has in different places: in commands, as a package, as a distribution and in classes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reds_core.errors import InputError

_PREFIX = "reds-"
_VALID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 30
_RESERVED = {
    "all": "it means all plugins in lists of commands",
    "auto": "it means the best solver in commands",
    "core": "the distribution reds-core is reds itself",
}


@dataclass(frozen=True)
class PluginName:
    """The name of a plugin, such as "my-solver".

    Attributes:
        name: The name by which users ask for the plugin.
    """

    name: str

    @property
    def identifier(self) -> str:
        """The name as part of Python identifiers, such as "my_solver"."""
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        """The name of the Python package, such as "reds_my_solver"."""
        return f"reds_{self.identifier}"

    @property
    def distribution(self) -> str:
        """The name of the distribution and of its folder, such as "reds-my-solver"."""
        return f"{_PREFIX}{self.name}"

    @property
    def class_prefix(self) -> str:
        """How the names of classes begin, such as "MySolver"."""
        return "".join(word.capitalize() for word in self.name.split("-"))


def plugin_name(text: str) -> PluginName:
    """The name of a plugin that a user typed.

    Raises:
        InputError: If it cannot be the name of a plugin, a distribution and a package at the same time.
    """
    if text in _RESERVED:
        raise InputError(f"a plugin cannot be named '{text}', because {_RESERVED[text]}", "choose another name")
    if not _VALID.fullmatch(text) or text.startswith(_PREFIX):
        raise InputError(
            f"'{text}' is not a name of a plugin, which has lower-case letters, digits and single hyphens",
            f"did you mean '{_closest(text)}'?" if _closest(text) else "choose a name such as 'acme'",
        )
    if len(text) > _LONGEST:
        raise InputError(f"the name '{text}' is longer than {_LONGEST} characters", "choose a shorter name")
    return PluginName(text)


def _closest(text: str) -> str:
    """The valid name that resembles `text`, or an empty text."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-").removeprefix(_PREFIX)
    return words if _VALID.fullmatch(words) and words not in _RESERVED else ""
