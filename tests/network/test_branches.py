"""Residual branches: which a network can do without, and the network that is left."""

from __future__ import annotations

from residual_networks import ResidualNetwork

from reds_core.network import Network, Value, residual_branches, without_branches
from reds_core.network.branches import Branches


class Described(ResidualNetwork):
    """A network of which each test describes the middle."""

    def start(self) -> Value:
        return self._relu(self._conv(self.builder.input((6, 6, 2)), 4))

    def conv(self, x: Value, channels: int) -> Value:
        return self._conv(x, channels)

    def norm(self, x: Value) -> Value:
        return self._norm(x)

    def sum(self, x: Value, y: Value) -> Value:
        return self._sum(x, y)

    def end(self, x: Value) -> Network:
        return self.builder.finish("net", [self._conv(x, 3)])


def found(network: Network) -> tuple[Branches, dict[str, tuple[list[str], list[str]]]]:
    names = [layer.name for layer in network.layers]
    branches = residual_branches(network)
    calls = {
        group: ([names[call] for call in each.inner], [names[call] for call in each.constant])
        for group, each in branches.found.items()
    }
    return branches, calls


def test_a_branch_is_everything_that_only_its_sum_needs() -> None:
    d = Described(0)
    x = d.start()
    inside = d.conv(x, 3)
    network = d.end(d.sum(d.norm(d.conv(inside, 4)), x))
    _, calls = found(network)
    assert calls == {"conv3": (["conv3"], ["conv4", "norm5"])}


def test_the_network_that_is_left_has_no_layer_and_no_weight_of_the_branch() -> None:
    d = Described(0)
    x = d.start()
    network = d.end(d.sum(x, d.norm(d.conv(d.conv(x, 3), 4))))
    left = without_branches(network, ["conv3"]).network
    assert [layer.name for layer in left.layers] == ["conv1", "relu2", "add6", "conv7"]
    assert {weight.layer for weight in left.weights} == {"conv1", "conv7"}
    storages = [left.tensors[layer.outputs[0]].storage for layer in left.layers[:3]]
    assert storages[1] == storages[2]  # the constant is added in place
    assert left.groups == network.groups


def test_a_projection_stays() -> None:
    d = Described(0)
    x = d.start()
    shortcut = d.conv(x, 5)
    network = d.end(d.sum(shortcut, d.conv(d.conv(x, 3), 5)))
    branches, calls = found(network)
    assert calls == {"conv4": (["conv4"], ["conv5"])}
    assert branches.whole == ()
    assert "conv3" in {layer.name for layer in without_branches(network, ["conv4"]).network.layers}


def test_a_branch_of_several_groups_stays() -> None:
    d = Described(0)
    x = d.start()
    network = d.end(d.sum(x, d.conv(d.conv(d.conv(x, 3), 2), 4)))
    branches, calls = found(network)
    (whole,) = branches.whole
    assert calls == {}
    assert (whole.sum, whole.groups) == ("add6", ("conv3", "conv4"))
    assert whole.reason.startswith("it has several groups of channels ('conv3', 'conv4')")


def test_only_the_inner_one_of_two_sums_can_do_without_its_branch() -> None:
    d = Described(0)
    x = d.start()
    inner = d.sum(d.conv(d.conv(x, 3), 4), d.conv(x, 4))
    network = d.end(d.sum(x, inner))
    branches, calls = found(network)
    (whole,) = branches.whole
    assert calls == {"conv3": (["conv3"], ["conv4"])}
    assert (whole.sum, whole.reason) == ("add7", "what it adds depends on more than the channels of 'conv3'")


def test_channels_that_are_read_outside_are_not_inside() -> None:
    d = Described(0)
    x = d.start()
    inside = d.conv(x, 3)
    total = d.sum(x, d.conv(inside, 4))
    network = d.end(d.sum(total, d.conv(inside, 4)))
    assert residual_branches(network).found == {}
