"""Names of the files of a run."""

from __future__ import annotations

from reds_core.framework.file_kinds import FileKind, FileKinds
from reds_core.plan import FULL_NETWORK

MEMBER, BASELINE, DEVICE = "subnet-", "model", "full"


def full_file(kind: FileKind) -> str:
    """The model file of the full network, whose channels are in order of importance."""
    return kind.file_name(FULL_NETWORK)


def full_device_file(kind: FileKind) -> str:
    """The file of the full network for a device."""
    return kind.file_name(DEVICE)


def baseline_file(kind: FileKind) -> str:
    """The model file of the baseline that a run without a model trains first, or of a model object that is given."""
    return kind.file_name(BASELINE)


def member_files(kinds: FileKinds, name: str) -> tuple[str, ...]:
    """The files of the subnetwork `name`, in the order of `kinds.all`."""
    return tuple(kinds.file_names(f"{MEMBER}{name}").values())


def member_file(kind: FileKind, name: str) -> str:
    """The file of one kind of the subnetwork `name`."""
    return kind.file_name(f"{MEMBER}{name}")


def is_output(kind: FileKind, name: str) -> bool:
    """Whether a run writes a network to a file of this name."""
    return name == full_file(kind) or name.startswith(MEMBER)
