"""How the files of tables are read, of whichever format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, Generic, TypeVar

from reds_core.errors import InputError
from reds_core.system.files import given_path
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import parse_json

T = TypeVar("T")
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class TableFormat(Generic[T]):
    """A format of tables.

    Attributes:
        name: its name and version.
        noun: what messages call a table of it.
        parse: returns the table in the content of a file, or raises ValueError, TypeError, KeyError or AttributeError.
        remedies: returns what to do about a file that cannot be read, and about one that is of no such format, in the
            words of the caller.
    """

    name: str
    noun: str
    parse: Callable[[Any], T]
    remedies: Callable[[], tuple[str, str]]

    def load(self, path: str | PathLike[str]) -> T:
        """Read a table.

        Raises:
            InputError: if the file is missing or not a valid table.
        """
        return self.table_in(self.content(path), path)

    def content(self, path: str | PathLike[str]) -> Any:
        """Return the plain content of a file.

        Raises:
            InputError: if the file is missing, or is no JSON.
        """
        path = given_path(path, "latency_table")
        try:
            return parse_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"{self.noun} {shown(path)} cannot be read ({reason_of(error)})", self.remedies()[0]
            ) from error
        except ValueError as error:
            raise self._refusal(path) from error

    def table_in(self, content: Any, path: str | PathLike[str]) -> T:
        """Return the table in the content of a file.

        Raises:
            InputError: if it is not a valid table of this format.
        """
        try:
            if content.get("format") != self.name:
                raise ValueError("another format")
            return self.parse(content)
        except _MALFORMED as error:
            raise self._refusal(path) from error

    def _refusal(self, path: str | PathLike[str]) -> InputError:
        return InputError(f"'{path}' is not a {self.noun} of format {self.name}", self.remedies()[1])
