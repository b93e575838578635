"""Losses and metrics by name, with settings in brackets: MeanIoU[num_classes=2]."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

import keras

from reds_core.errors import InputError
from reds_core.plugin import parse_plugin_list, plugin_text
from reds_tensorflow.messages import first_sentence

_MODULES = {"loss": keras.losses, "metric": keras.metrics}
_BASES = {"loss": keras.losses.Loss, "metric": keras.metrics.Metric}


def keras_object(kind: str, text: str, filled: Mapping[str, Any]) -> Any:
    """Return the Keras loss or metric that `text` names: an instance of a class, or a function.

    Args:
        kind: "loss" or "metric".
        text: a Keras identifier such as `mean_squared_error`, `F1Score` or `MeanIoU[num_classes=2]`. Values in brackets
            are numbers, true, false, lists or text, as in JSON.
        filled: settings that are passed to a class if it has them and the text does not set them.

    Raises:
        InputError: if the name is unknown, or a setting is missing, unknown or invalid.
    """
    try:
        ((name, settings),) = parse_plugin_list(text, kind)
    except (InputError, ValueError):
        raise InputError(
            f"{kind} '{text}' cannot be read", f"write NAME or NAME[KEY=VALUE,...] of a Keras {kind}"
        ) from None
    cls = _class_named(kind, name)
    if cls is None:
        return _function_named(kind, name, settings)
    known = {p.name: p for p in inspect.signature(cls.__init__).parameters.values() if p.name != "self"}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    unknown = [key for key in settings if key not in known and not takes_any]
    if unknown:
        raise InputError(f"{kind} '{name}' has no setting '{unknown[0]}'", f"choose from {', '.join(known)}")
    given = {key: setting for key, setting in filled.items() if key in known}
    given |= {key: _converted(setting) for key, setting in settings.items()}
    missing = [key for key, p in known.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    missing = [key for key in missing if key not in given]
    if missing:
        example = plugin_text(name, {**settings, **dict.fromkeys(missing, "VALUE")})
        raise InputError(f"{kind} '{name}' needs {' and '.join(missing)}", f"give it in brackets: {example}")
    try:
        return cls(**given)
    except (ValueError, TypeError) as error:
        raise InputError(f"{kind} '{text}' cannot be used ({first_sentence(error)})", "give other settings") from error


def _class_named(kind: str, name: str) -> Any | None:
    """Return the class of that name, which may be in snake case, or None."""
    folded = name.replace("_", "").lower()
    for known, cls in vars(_MODULES[kind]).items():
        is_of_kind = inspect.isclass(cls) and issubclass(cls, _BASES[kind]) and cls is not _BASES[kind]
        if is_of_kind and (known == name or ("_" in name and known.lower() == folded)):
            return cls
    registered = keras.saving.get_registered_object(name)
    return registered if inspect.isclass(registered) and issubclass(registered, _BASES[kind]) else None


def _function_named(kind: str, name: str, settings: Mapping[str, str]) -> Any:
    unknown = InputError(f"{kind} '{name}' cannot be used", f"give the name of a Keras {kind}")
    try:
        found = _MODULES[kind].get(name)
    except (ValueError, TypeError) as error:
        raise unknown from error
    if settings:
        raise InputError(f"{kind} '{name}' takes no settings", f"give the name of the class of that {kind}")
    return found


def _converted(text: str) -> Any:
    """Parse a setting as JSON; return the text if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
