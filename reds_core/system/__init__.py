"""Files, processes and the machine.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.system.archive import read_archive, write_archive
from reds_core.system.files import (
    make_folder,
    temporary_folder,
    temporary_folder_full,
    write_bytes,
    write_text,
    written_beside,
)
from reds_core.system.folder_lock import locked_folder
from reds_core.system.isolation import run_isolated, serve
from reds_core.system.library_call import interruptible
from reds_core.system.machine import Machine, this_machine, utc_now
from reds_core.system.machine_faults import is_out_of_space, reason_of
from reds_core.system.memory import limit_memory, why_too_much
from reds_core.system.output import silenced_output, silenced_warnings, stream_behind
from reds_core.system.rapl import POWERCAP
from reds_core.system.record_lines import RECORDS_FILE, RecordKind
from reds_core.system.users_code import UsersCode, import_modules

__all__ = [
    "POWERCAP",
    "RECORDS_FILE",
    "Machine",
    "RecordKind",
    "UsersCode",
    "import_modules",
    "interruptible",
    "is_out_of_space",
    "limit_memory",
    "locked_folder",
    "make_folder",
    "read_archive",
    "reason_of",
    "run_isolated",
    "serve",
    "silenced_output",
    "silenced_warnings",
    "stream_behind",
    "temporary_folder",
    "temporary_folder_full",
    "this_machine",
    "utc_now",
    "why_too_much",
    "write_archive",
    "write_bytes",
    "write_text",
    "written_beside",
]
