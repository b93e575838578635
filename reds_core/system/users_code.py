"""Import of Python code that the user names, such as custom layers that model files refer to."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import Any

from reds_core.errors import InputError, argument
from reds_core.system.files import absolute
from reds_core.system.output import stdout_on_stderr

_SUFFIX = ".py"


@dataclass(frozen=True)
class UsersCode:
    """Code of the user that a model depends on.

    Attributes:
        imports: paths of Python files and dotted names of modules, which are imported before a model file is read.
        model: the model object that a run was started with, or None if it was started with a file.
    """

    imports: tuple[str, ...] = ()
    model: Any | None = None


def import_names(imports: str | PathLike[str] | Sequence[str | PathLike[str]]) -> tuple[str, ...]:
    """Return the imports that a caller gave, one or several, as strings.

    Raises:
        InputError: if one is neither a path nor a text.
    """
    if isinstance(imports, str | PathLike):
        return (fspath(imports),)
    if not isinstance(imports, Iterable) or not all(isinstance(name, str | PathLike) for name in imports):
        raise InputError(f"imports {imports!r} are not files or modules", "give paths of Python files or module names")
    return tuple(fspath(name) for name in imports)


def is_file(name: str) -> bool:
    """Whether an import is the path of a file, as opposed to the dotted name of a module."""
    return name.endswith(_SUFFIX) or "/" in name or "\\" in name


def absolute_imports(names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` with absolute paths of files, so that they are valid in any working directory."""
    return tuple(str(absolute(name)) if is_file(name) else name for name in names)


def import_modules(names: Sequence[str]) -> tuple[ModuleType, ...]:
    """Import Python files and modules in the given order, each once per process.

    A file can import modules from its own folder, and dotted names are also searched in the current folder. Standard
    output of the imported code is redirected to standard error.

    Raises:
        InputError: if a file or module does not exist or cannot be imported; the message names the file and the line.
    """
    return tuple(_imported_file(name) if is_file(name) else _imported_module(name) for name in names)


def _imported_file(name: str) -> ModuleType:
    path = absolute(name)
    if not path.is_file():
        raise InputError(
            f"'{name}', which {argument('imports')} names, is not a file", "give the path of a Python file"
        )
    for module in list(sys.modules.values()):
        # not getattr, which makes some modules import others that may be missing
        if getattr(module, "__dict__", {}).get("__file__") == str(path):
            return module
    key = path.stem.replace(".", "_")  # a dot would make it a module of a package
    if key in sys.modules or importlib.util.find_spec(key) is not None:
        key = f"{key}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise InputError(
            f"'{name}', which {argument('imports')} names, is not a Python file", f"give a file that ends in {_SUFFIX}"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # as the import statement does, because dataclasses look up their module
    try:
        with _importing(name, path, path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
    return module


def _imported_module(name: str) -> ModuleType:
    with _importing(name, None, Path.cwd()):
        return importlib.import_module(name)


@contextlib.contextmanager
def _importing(name: str, path: Path | None, folder: Path) -> Iterator[None]:
    """Make modules of `folder` importable inside the block, and convert exceptions to InputError with their place."""
    sys.path.append(str(folder))
    try:
        with stdout_on_stderr():
            yield
    except (Exception, SystemExit) as error:
        text = str(error.msg if isinstance(error, SyntaxError) else error).strip()
        what = text.splitlines()[0] if text else ""
        reason = f"{type(error).__name__}{': ' if what else ''}{what}"
        raise InputError(
            f"'{name}', which {argument('imports')} names, cannot be imported ({reason}{_place(error, path)})",
            "fix it, or check the name",
        ) from error
    finally:
        sys.path.remove(str(folder))


def _place(error: BaseException, path: Path | None) -> str:
    """Describe where the user's code failed: the line of the given file, or else the line that raised the error."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f", {error.filename} line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(("<frozen", __file__))]
    own = [frame for frame in frames if path is not None and Path(frame.filename) == path]
    library = str(Path(importlib.__file__).parent)
    others = [frame for frame in frames if not frame.filename.startswith(library)]
    last = next(iter((own or others)[-1:]), None)
    return "" if last is None else f", {last.filename} line {last.lineno}"
