"""Translation of the weights of .keras files that older Keras wrote: groups are renamed to those of Keras 3."""

from __future__ import annotations

import re

import h5py

_OLD_LAYERS = "_layer_checkpoint_dependencies"
_LAYERS = "layers"
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


def translate_weights(file: h5py.File) -> bool:
    """Rename the groups of a weights file to those of Keras 3 in place, and return whether any was renamed."""
    return any([_from_windows(file), _from_checkpoint_dependencies(file)])


def _from_windows(file: h5py.File) -> bool:
    r"""Replace "\\", by which Keras 2 on Windows joined the names of groups."""
    paths: list[str] = []
    file.visit(paths.append)
    renamed = [path for path in paths if "\\" in path.rpartition("/")[2]]
    for path in sorted(renamed, key=len, reverse=True):  # inner groups first
        target = path.rpartition("/")[2].replace("\\", "/")
        parent = file[path.rpartition("/")[0] or "/"]
        _merge(parent, path.rpartition("/")[2], target)
    return bool(renamed)


def _merge(parent: h5py.Group, name: str, target: str) -> None:
    """Move a group or a data set. If the target is an existing group, the content is moved into it."""
    if target in parent and isinstance(parent[target], h5py.Group):
        for inner in list(parent[name]):
            parent.move(f"{name}/{inner}", f"{target}/{inner}")
        del parent[name]
    else:
        parent.move(name, target)


def _from_checkpoint_dependencies(file: h5py.File) -> bool:
    """Renumber layers: Keras 2.12 and 2.13 listed each layer with weights twice, so names skip every other number."""
    groups: list[h5py.Group] = []
    file.visititems(lambda name, item: groups.append(item) if name.rpartition("/")[2] == _OLD_LAYERS else None)
    for group in groups:
        for old, new in _closed_up(group).items():
            group.move(old, new)
    for path in sorted((group.name for group in groups), key=len, reverse=True):
        file.move(path, f"{path.rpartition('/')[0]}/{_LAYERS}")
    return bool(groups)


def _closed_up(group: h5py.Group) -> dict[str, str]:
    """Return new names of the layers of a model, numbered in order and without gaps."""
    numbered: dict[str, list[tuple[int, str]]] = {}
    for name in group:
        match = _NUMBERED.fullmatch(name)
        assert match is not None
        numbered.setdefault(match[1], []).append((int(match[2] or 0), name))
    return {
        old: base if not position else f"{base}_{position}"
        for base, members in numbered.items()
        for position, (_, old) in enumerate(sorted(members))
        if old != (base if not position else f"{base}_{position}")
    }
