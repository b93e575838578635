"""The script of one pruning run: it starts or resumes the run of a folder and reports how that ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy.typing as npt

from reds_core.arrays import NamedArrays
from reds_core.compare.auditing import audit_finished
from reds_core.errors import ContractViolation, PluginFailure, RedsError
from reds_core.runs.api import prune
from reds_core.runs.folder import Mode
from reds_core.system.isolation import serve
from reds_core.system.machine import utc_now
from reds_core.watcher import Watcher

FINISHED, REFUSED, RAISED, OUT_OF_MEMORY, INTERRUPTED = "finished", "refused", "raised", "out_of_memory", "interrupted"


class Log(Watcher):
    """Writes stages and warnings to a file, one line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stage(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{utc_now()} {text}\n")

    def warn(self, text: str) -> None:
        self.stage(f"warning: {text}")


def answer(request: NamedArrays) -> Mapping[str, npt.ArrayLike]:
    """Perform the run of a request and return its outcome and reason."""
    recipe, folder, log = (Path(str(request[key])) for key in ("recipe", "folder", "log"))
    try:
        prune(recipe=recipe, out=folder, mode=Mode.RESUME, watcher=Log(log))
        failure = audit_finished(folder, Path(str(request["audit"])), Log(log)) if "audit" in request else ""
    except (ContractViolation, PluginFailure) as error:
        return {"outcome": RAISED, "reason": str(error)}
    except RedsError as error:
        return {"outcome": REFUSED, "reason": str(error)}
    except KeyboardInterrupt:
        return {"outcome": INTERRUPTED, "reason": ""}
    except MemoryError:
        return {"outcome": OUT_OF_MEMORY, "reason": "the machine ran out of memory"}
    except Exception as error:
        return {"outcome": RAISED, "reason": " ".join(f"{type(error).__name__}: {error}".split())}
    return {"outcome": FINISHED, "reason": "", "audit_failure": failure}


if __name__ == "__main__":
    serve(answer)
