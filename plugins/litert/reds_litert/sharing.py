"""Files of members with integer weights that share the integers of the full network's file, as a run writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reds_core.framework import ExportSource, FullExport
from reds_core.network import Network, WeightKind
from reds_litert.conversion import converted
from reds_litert.shared_store import Conversions, Reason, shared_file

_NUMBER = re.compile(r"_\d+$")
NAMED_LAYERS = 3
"""The most layers that a warning names for each reason."""


def shared(source: ExportSource, full: FullExport, content: bytes) -> bytes:
    """Return the file of a member with the integers of the full network's file as its kernels.

    There is a warning if some kernels cannot be slices of those of the full network.

    Args:
        source: What the file is exported from.
        full: The full network and its file of the same kind.
        content: The file of the member with weights of its own.

    Raises:
        InputError: If the file of the full network cannot be read.
        UnsupportedError: If LiteRT cannot express one of the models.
    """
    of_full = Conversions(full.path.read_bytes(), _float32(full.source))
    found = shared_file(Conversions(content, _float32(source)), of_full)
    if found.own:
        reasons = [(layer_name(tensor, source.network), reason) for tensor, reason in found.own.items()]
        source.warn(own_text(reasons, found.kernels, full.path.name))
    return found.content


def _float32(source: ExportSource) -> bytes:
    return source.conversions.get("float32", lambda: converted(source.framework, source.model, "float32", None))


def own_text(own: Sequence[tuple[str, Reason]], kernels: int, full: str) -> str:
    """Return the warning that some kernels are not shared, as the rest of a sentence that begins with the file's name.

    Args:
        own: The layer of each kernel that is not shared, and the reason.
        kernels: The number of all kernels in the file.
        full: The name of the file of the full network.
    """
    by_reason: dict[Reason, list[str]] = {}
    for name, reason in dict.fromkeys(own):
        by_reason.setdefault(reason, []).append(name)
    texts = (
        f"{', '.join(names[:NAMED_LAYERS])}"
        f"{f' and {len(names) - NAMED_LAYERS} more' if len(names) > NAMED_LAYERS else ''}: {reason.value}"
        for reason, names in by_reason.items()
    )
    return f"does not share {len(own)} of its {kernels} kernels with '{full}' ({'; '.join(texts)})"


def layer_name(tensor: str, network: Network) -> str:
    """Return the name of the layer whose kernel a tensor of a file holds, or a part of the tensor's name.

    A converter names tensors by paths of layers and operations, joins the paths of operators that it has fused, and may
    append a number to each layer.
    """
    kernels = {index for index, weight in enumerate(network.weights) if weight.kind is WeightKind.KERNEL}
    known = {layer.name for layer in network.layers if kernels & set(layer.weights)}
    parts = [path.split("/")[-2:][0] for path in tensor.split(";")]
    named = (name for part in parts for name in (_NUMBER.sub("", part), part) if name in known)
    return next(named, parts[0])


def layer_in(tensors: Sequence[str], network: Network) -> str | None:
    """Return the name of the layer that an operator of a file belongs to, or None if no name of a layer is found.

    A converter fuses layers. Those with kernels come first.

    Args:
        tensors: The names of the tensors of the operator.
        network: The description of the model.
    """
    known = {layer.name for layer in network.layers}
    name = layer_name(";".join(tensors), network)
    parts = [part for tensor in tensors for path in tensor.split(";") for part in reversed(path.split("/"))]
    named = (name for part in parts for name in (_NUMBER.sub("", part), part) if name in known)
    return name if name in known else next(named, None)
