"""Original errors of LiteRT's converter, which ignores some errors and fails with an unrelated one later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from reds_tensorflow.replacing import replaced


@contextmanager
def kept_errors(errors: list[Exception]) -> Iterator[None]:
    """Add errors that occur while the converter writes a model to the temporary folder to `errors`."""
    archives = type(keras.export.ExportArchive())  # the class for this backend
    write_out = archives.write_out

    def written_out(archive: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return write_out(archive, *arguments, **named)
        except Exception as error:
            errors.append(error)
            raise

    with replaced((archives, "write_out", written_out)):
        yield
