"""A layer that Keras does not have, and the plugin that teaches reds how it is pruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reds_core.framework import LayerPlugin, SampleModel


class Mixers(LayerPlugin):
    """A 1 x 1 mixing of channels with a factor for each channel."""

    name = "mixers"
    framework = "tensorflow"

    def handlers(self) -> Mapping[type, Any]:
        from mixer import Mixer, mixed
        from reds_tensorflow.calls import Handler

        return {Mixer: Handler(mixed)}

    def samples(self) -> Sequence[SampleModel]:
        from mixer import mixing
        from reds_tensorflow.samples import lively

        return [SampleModel("mixing", lively(mixing), macs=36 * 27 * 6 + 36 * 6 * 7 + 16 * 63 * 5 + 5 * 3)]


class LyingMixers(Mixers):
    """Counts each multiply-accumulate of the layer twice."""

    name = "lying-mixers"

    def handlers(self) -> Mapping[type, Any]:
        from mixer import Mixer, mixed
        from reds_tensorflow.calls import Call, Handler

        def doubled(call: Call) -> Any:
            made = mixed(call)
            call.count(36, call.dims[-1], made[0][-1])
            return made

        return {Mixer: Handler(doubled)}


class FailingMixers(Mixers):
    """Has a handler that fails, so that the channels around its layer stay."""

    name = "failing-mixers"

    def handlers(self) -> Mapping[type, Any]:
        from mixer import Mixer
        from reds_tensorflow.calls import Handler

        return {Mixer: Handler(lambda call: {}["channels"])}
