"""Descriptions of random residual networks, on which costs without some blocks are counted again."""

from __future__ import annotations

import numpy as np

from reds_core.network import MacsTerm, Network, NetworkBuilder, Value, Weight, WeightKind, fixed_dims


class ResidualNetwork:
    """Describes one network of a stem, residual blocks with and without a projection, and a head.

    Attributes:
        rng: A generator of NumPy.
        builder: What describes the network.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.builder = NetworkBuilder()
        self._count = 0

    def build(self, blocks: int = 3) -> Network:
        """Return the description."""
        x = self._relu(self._norm(self._conv(self.builder.input((6, 6, 2)), 3)))
        earlier = x
        for _ in range(blocks):
            earlier = x if self.rng.random() < 0.3 else earlier
            x = self._block(x)
        if self.rng.random() < 0.3 and self.builder.resolved(earlier.dims[-1]) == self.builder.resolved(x.dims[-1]):
            x = self._sum(x, earlier)  # which a later layer reads as well as the first block
        (x,) = self.builder.call("pool", "Pool", (x,), (x.dims[-1:],))
        axis = self.builder.fresh(3)
        self.builder.weight("head", Weight("head/kernel", "head", WeightKind.KERNEL, (x.dims[0], axis), 1, True))
        macs = (MacsTerm(1, (x.dims[0], axis)),)
        return self.builder.finish("net", self.builder.call("head", "Dense", (x,), ((axis,),), ("head",), macs))

    def _block(self, x: Value) -> Value:
        channels = self.builder.length(x.dims[-1])
        start = self._relu(self._norm(x)) if self.rng.random() < 0.3 else x
        inside = self._relu(self._norm(self._conv(start, int(self.rng.integers(2, 4)))))
        if self.rng.random() < 0.3:
            inside = self._relu(self._norm(self._conv(inside, 2)))
        if self.rng.random() < 0.4:
            x = self._conv(x, channels)
        y = self._norm(self._conv(inside, channels))
        total = self._sum(*((x, y) if self.rng.random() < 0.5 else (y, x)))
        return self._relu(total) if self.rng.random() < 0.7 else total

    def _sum(self, x: Value, y: Value) -> Value:
        self.builder.tie(x.dims[-1], y.dims[-1], "sum")
        (made,) = self.builder.call(self._name("add"), "Add", (x, y), (x.dims,), is_sum=True)
        return made

    def _conv(self, x: Value, channels: int) -> Value:
        name, made = self._name("conv"), self.builder.fresh(channels)
        axes = (*fixed_dims((3, 3)), x.dims[-1], made)
        keys = [name]
        self.builder.weight(name, Weight(f"{name}/kernel", name, WeightKind.KERNEL, axes, 3, True))
        if self.rng.random() < 0.5:
            keys.append(f"{name}/bias")
            self.builder.weight(keys[-1], Weight(keys[-1], name, WeightKind.BIAS, (made,), 0, True))
        macs = (MacsTerm(9 * 36, (x.dims[-1], made)),)
        (value,) = self.builder.call(name, "Conv2D", (x,), ((*x.dims[:-1], made),), keys, macs)
        return value

    def _norm(self, x: Value) -> Value:
        name = self._name("norm")
        kinds = (WeightKind.SCALE, WeightKind.OFFSET, WeightKind.STATISTIC, WeightKind.STATISTIC)
        keys = [f"{name}/{index}" for index in range(4)]
        for key, kind in zip(keys, kinds, strict=True):
            self.builder.weight(key, Weight(key, name, kind, x.dims[-1:], 0, True))
        return self._call(name, "BatchNormalization", x, keys)

    def _relu(self, x: Value) -> Value:
        return self._call(self._name("relu"), "ReLU", x, [])

    def _call(self, name: str, kind: str, x: Value, keys: list[str]) -> Value:
        (made,) = self.builder.call(name, kind, (x,), (x.dims,), keys, in_place=True)
        return made

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"
