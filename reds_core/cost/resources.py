"""The resources of a network that a budget may limit, and the assumptions under which they are counted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reds_core.cost.activation_memory import arena_steps, peak_ram_steps
from reds_core.cost.counting import (
    DEFAULT_ELEMENT_SIZE_BYTES,
    CostTerm,
    PeakTerm,
    ResourceForm,
    bops_terms,
    check_element_size,
    macs_terms,
    params_terms,
)
from reds_core.cost.device_weights import weight_bytes_terms
from reds_core.cost.energy_models import BOARDS, EnergySource
from reds_core.cost.executed import executed_peak, executed_sum
from reds_core.errors import InputError, argument, command
from reds_core.network.description import Network
from reds_core.scales import BOPS, BYTES, CYCLES, ENERGY, MACS, NANOSECONDS, Scale


@dataclass(frozen=True)
class CostModel:
    """The assumptions under which resources are counted.

    Attributes:
        element_size_bytes: size of a weight or activation on the device: 1 (int8) or 4 (float32).
        measured: forms of resources that are measured or counted on a device, by name; empty without a table of them.
        additional: names of resources that are counted besides those that always are, because a budget limits them or
            because weights may have fewer bits.
        energy: where the energy comes from, which is that of `measured`, or else follows from the MACs; None if it is
            not counted.

    Raises:
        InputError: if the element size is neither 1 nor 4.
    """

    element_size_bytes: int = DEFAULT_ELEMENT_SIZE_BYTES
    measured: Mapping[str, ResourceForm] = field(default_factory=dict)
    additional: tuple[str, ...] = ()
    energy: EnergySource | None = None

    def __post_init__(self) -> None:
        check_element_size(self.element_size_bytes)

    @property
    def resources(self) -> tuple[str, ...]:
        """Names of the resources that are counted: macs, params and peak_ram, the measured ones, and `additional`."""
        return tuple(r.name for r in RESOURCES.values() if self._counts(r))

    def _counts(self, resource: Resource) -> bool:
        if resource.is_modelled:
            return self.energy is not None
        if resource.is_measured:
            return resource.name in self.measured
        return resource.is_always_counted or resource.name in self.additional

    def form(self, network: Network, resource: str) -> ResourceForm:
        """Return the form of one of `resources`."""
        return RESOURCES[resource].form(network, self)

    def terms(self, network: Network, resource: str) -> Iterable[CostTerm] | None:
        """Return what each call adds to one of `resources`; None if that is not known, as for what is measured."""
        terms = RESOURCES[resource].terms
        return None if terms is None or resource in self.measured else terms(network, self)


@dataclass(frozen=True)
class Resource:
    """A resource that a network uses and that a budget may limit.

    Attributes:
        name: the name in budgets, problems, plans and records.
        title: the name in headings and labels.
        noun: the name within a sentence.
        scale: the units in which it is shown and typed.
        form: returns the usage of a network as a form in the group widths.
        is_measured: whether it can only be counted if the CostModel contains a form of it.
        is_of_device: whether a table of it is made for a named device, and not by timing on this machine.
        is_modelled: whether an energy model counts it if there is no form of it.
        is_always_counted: whether plans and descriptions state it even if nothing asks for it.
        terms: for a resource that adds up over calls of layers, returns what each call adds; None for others.
        steps: for a resource that is the largest use during any call, returns the calls and their uses; None for
            others.
    """

    name: str
    title: str
    noun: str
    scale: Scale
    form: Callable[[Network, CostModel], ResourceForm]
    is_measured: bool = False
    is_of_device: bool = False
    is_modelled: bool = False
    is_always_counted: bool = True
    terms: Callable[[Network, CostModel], Iterable[CostTerm]] | None = None
    steps: Callable[[Network, CostModel], Iterable[tuple[int, PeakTerm]]] | None = None

    @classmethod
    def adding(
        cls,
        name: str,
        title: str,
        noun: str,
        scale: Scale,
        terms: Callable[[Network, CostModel], Iterable[CostTerm]],
        is_always_counted: bool = True,
    ) -> Resource:
        """Return a resource that adds up over calls of layers."""

        def form(network: Network, costs: CostModel) -> ResourceForm:
            return executed_sum(network, lambda each: terms(each, costs))

        return cls(name, title, noun, scale, form, is_always_counted=is_always_counted, terms=terms)

    @classmethod
    def peaking(
        cls,
        name: str,
        title: str,
        noun: str,
        steps: Callable[[Network, CostModel], Iterable[tuple[int, PeakTerm]]],
        is_always_counted: bool = True,
    ) -> Resource:
        """Return a resource in bytes that is the largest use during any call."""

        def form(network: Network, costs: CostModel) -> ResourceForm:
            return executed_peak(network, lambda each: steps(each, costs))

        return cls(name, title, noun, BYTES, form, is_always_counted=is_always_counted, steps=steps)

    @classmethod
    def measuring(cls, name: str, title: str, noun: str, scale: Scale, is_of_device: bool = False) -> Resource:
        """Return a resource whose form is in `CostModel.measured`."""

        def form(network: Network, costs: CostModel) -> ResourceForm:
            _check_measured(name, costs.measured)
            return costs.measured[name]

        return cls(name, title, noun, scale, form, is_measured=True, is_of_device=is_of_device)


def _energy_terms(network: Network, costs: CostModel) -> Iterator[CostTerm]:
    """Yield the energy of the multiply-accumulates of each call, in picojoules."""
    per_mac = None if costs.energy is None else costs.energy.pJ_per_MAC
    if per_mac is None:
        raise _not_measured(RESOURCES["energy"])
    for term in macs_terms(network):
        yield replace(term, coefficient=term.coefficient * per_mac)


def _energy(network: Network, costs: CostModel) -> ResourceForm:
    return costs.measured.get("energy") or executed_sum(network, lambda each: _energy_terms(each, costs))


RESOURCES: Mapping[str, Resource] = {
    r.name: r
    for r in (
        Resource.adding("macs", "MACs", "MACs", MACS, lambda network, costs: macs_terms(network)),
        Resource.adding(
            "params",
            "Parameters",
            "parameters",
            BYTES,
            lambda network, costs: params_terms(network, costs.element_size_bytes),
        ),
        Resource.peaking(
            "peak_ram",
            "Peak RAM",
            "peak RAM",
            lambda network, costs: peak_ram_steps(network, costs.element_size_bytes),
        ),
        Resource.peaking(
            "arena",
            "Arena",
            "arena",
            lambda network, costs: arena_steps(network, costs.element_size_bytes),
            is_always_counted=False,
        ),
        Resource.adding(
            "weight_bytes",
            "Weights on the device",
            "weights on the device",
            BYTES,
            lambda network, costs: weight_bytes_terms(network, costs.element_size_bytes),
            is_always_counted=False,
        ),
        Resource.adding(
            "bops",
            "Bit operations",
            "bit operations",
            BOPS,
            lambda network, costs: bops_terms(network, costs.element_size_bytes),
            is_always_counted=False,
        ),
        Resource.measuring("latency", "Latency", "latency", NANOSECONDS),
        Resource.measuring("cycles", "Cycles", "cycles", CYCLES, is_of_device=True),
        Resource.measuring("npu_sram", "SRAM of the NPU", "SRAM of the NPU", BYTES, is_of_device=True),
        Resource(
            "energy",
            "Energy (model)",
            "modelled energy",
            ENERGY,
            _energy,
            is_measured=True,
            is_modelled=True,
            terms=_energy_terms,
        ),
    )
}
"""Every resource that can have a budget, by name. Budgets, plans, tables and reports use these records, so that a new
resource only needs an entry here."""


_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "macs": ("mac", "macc", "maccs", "madds", "flop", "flops", "mflops", "gflops", "ops", "compute", "operations"),
    "params": ("size", "flash", "rom", "storage", "disk", "weights", "model_size", "file_size", "bytes"),
    "peak_ram": ("ram", "memory", "mem", "sram", "peak", "activations", "peak_memory", "max_ram"),
    "arena": ("tensor_arena", "arena_size", "arena_head", "arena_bytes"),
    "weight_bytes": ("weight_size", "weights_size", "weight_memory", "packed_weights"),
    "bops": ("bop", "bitops", "bit_ops", "bit_operations"),
    "latency": ("time", "speed", "runtime", "duration", "inference_time", "ms"),
    "cycles": ("cycle", "npu_cycles", "clock_cycles", "clocks"),
    "energy": ("power", "joules", "battery", "uj", "mj", "microjoules", "millijoules", "consumption"),
    "npu_sram": ("npu_ram", "npu_memory", "npu_arena"),
}
"""What users call the resources elsewhere, for suggestions only: the definitions differ."""


def resource_named(text: str) -> str:
    """The name of the resource that a user means, in any case.

    Raises:
        InputError: if there is none of this name; the message suggests one that the user may mean.
    """
    name = text.strip().lower()
    if name in RESOURCES:
        return name
    known = ", ".join(RESOURCES)
    raise InputError(f"unknown resource '{text.strip()}'", f"{_suggestion(name)}resources: {known}")


def _suggestion(name: str) -> str:
    """The question whether the user means another resource; empty if no name is similar."""
    known = {name: name for name in RESOURCES}
    for resource, names in _OTHER_NAMES.items():
        known |= dict.fromkeys(names, resource)
    close = difflib.get_close_matches(name.replace("-", "_").replace(" ", "_"), known, n=1, cutoff=0.75)
    return f"did you mean '{known[close[0]]}'? " if close else ""


def _not_measured(resource: Resource) -> InputError:
    if resource.is_modelled:
        return InputError(
            f"{resource.name} can only be counted with a model of it",
            f"give {argument('energy_model', next(iter(BOARDS)))}, or a table of a device that states it",
        )
    if resource.is_of_device:
        return InputError(
            f"a budget of {resource.name} needs a table of a device",
            f"make one with {command('latency')} and {argument('on')}, and give {argument('latency_table')}",
        )
    return InputError(
        f"a {resource.name} budget needs measurements",
        f"make them with {command('latency')} and give {argument('latency_table')}",
    )


def _check_measured(name: str, measured: Collection[str]) -> None:
    """Refuse a resource that is measured, but not in the table that was given.

    Raises:
        InputError: if `measured` does not have it.
    """
    resource = RESOURCES[name]
    if not resource.is_measured or name in measured:
        return
    error = _not_measured(resource)
    if measured:
        raise InputError(f"{error.what}, and the given one has only {', '.join(measured)}", error.fix)
    raise error


def check_resources(names: Iterable[str], has_table: bool = False, has_energy_model: bool = False) -> None:
    """Refuse resources that can only be counted with a table of measurements, or an energy model, if there is none.

    Args:
        names: the names of resources.
        has_table: whether there is a table, of whatever it may be.
        has_energy_model: whether there is an energy model.

    Raises:
        InputError: if there is one; the message names the first.
    """
    for name in names:
        resource = RESOURCES[resource_named(name)]
        if resource.is_measured and not has_table and not (resource.is_modelled and has_energy_model):
            raise _not_measured(resource)


def resource_forms(network: Network, names: Iterable[str], costs: CostModel | None = None) -> dict[str, ResourceForm]:
    """Return the forms of the resources `names`.

    Raises:
        InputError: if a resource cannot be counted.
    """
    costs = costs or CostModel()
    return {name: costs.form(network, resource_named(name)) for name in names}


def usage(network: Network, widths: Mapping[str, int], costs: CostModel | None = None) -> dict[str, int]:
    """Return the usage of every resource that can be counted, if group g has `widths[g]` channels."""
    costs = costs or CostModel()
    return {name: form.at(widths) for name, form in resource_forms(network, costs.resources, costs).items()}
