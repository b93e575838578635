"""States the pruning of a network as a knapsack problem, without solving it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from reds_core.cost import counting
from reds_core.cost.budget import SubnetworkBudget, parse_budgets
from reds_core.cost.tables import notes_of
from reds_core.errors import InfeasibleError, InputError, argument
from reds_core.formulation.formulation import Formulation
from reds_core.formulation.infeasibility import check_reachable
from reds_core.formulation.skipping import skipping_warnings, with_skipping
from reds_core.formulation.slack import slack_warnings
from reds_core.formulation.statement import Statement
from reds_core.formulation.width_rules import OfferedWidths, WidthRules
from reds_core.framework.task import Task, TaskKind
from reds_core.network.description import Network
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.class_weights import ClassWeights, class_weight_text
from reds_core.runs.data_warnings import data_warnings
from reds_core.runs.dataset import Dataset
from reds_core.runs.exit_parts import part_at, refuse_exits, with_exit_parts
from reds_core.runs.forms import Budgets, DataObject, Imports, texts_of
from reds_core.runs.given_data import given_data, read_given
from reds_core.runs.input_shapes import InputShape, with_input_shape
from reds_core.runs.inputs import examples_in_memory
from reds_core.runs.inspection import load_for_inspection
from reds_core.runs.labelling import labelled
from reds_core.runs.layer_levels import LayerLevels
from reds_core.runs.offered_levels import check_choices, check_decided_without_data, levels_to_decide, transforms_of
from reds_core.runs.options import WidthOptions, changed, converted, given_options, refuse_unknown
from reds_core.runs.participants import FRAMEWORKS, check_options, level_participants
from reds_core.runs.settings import RunSettings
from reds_core.runs.skipping import check_skippable, check_skipping
from reds_core.runs.targets import run_targets
from reds_core.runs.thinning import thinning_warning
from reds_core.scoring.block_losses import with_skipping_values
from reds_core.scoring.loss_measurement import LossMeasurement
from reds_core.scoring.scorer import ScoreLevel, Scorer, check_level, score
from reds_core.watcher import Watcher


def formulate_model(
    model: Any,
    data: str | PathLike[str] | Dataset | DataObject | None,
    budgets: Budgets,
    *,
    scorer: str = "taylor",
    score_level: ScoreLevel | str = ScoreLevel.CHANNEL,
    options: PluginOptions | None = None,
    imports: Imports = (),
    input_shape: InputShape | None = None,
    task: Task | TaskKind | str | None = None,
    loss: Any | None = None,
    metrics: Any | None = None,
    element_size: int = counting.DEFAULT_ELEMENT_SIZE_BYTES,
    latency_table: str | PathLike[str] | None = None,
    energy_model: str | None = None,
    widths: WidthRules | None = None,
    exit: str | None = None,
    transforms: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    exchange_rate: float | None = None,
    class_weight: str | Mapping[int, float] | None = None,
    strict: bool = False,
    seed: int = 0,
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
    **more: Unpack[WidthOptions],
) -> Formulation:
    """State the pruning of a network to one budget as a knapsack problem.

    This is what `reds formulate` does, which then saves the problem with `save_problem`.

    Args:
        model: The path of a model file, or a model object of an installed framework.
        data: The training data of the scorer, as `prune` takes it. None if the scorer needs no data.
        budgets: One amount for each resource, such as `{"macs": 0.5}`, `"macs=0.5"` or, for MACs, `0.5`.
        scorer: The name of a scorer plugin.
        score_level: Whether channels are scored, or each kernel that joins two channels.
        options: Options of plugins, as `{plugin: {key: text}}`.
        imports: One or several Python files or names of modules that define custom layers.
        input_shape: The shape of one example without the batch dimension, such as `(224, 224, 3)`, if the model file
            leaves it open; for several inputs, their shapes by name. Texts are as `--input-shape` takes them.
        task: What outputs are compared with, as `prune` takes it, such as `"embedding"`, or a whole `Task`. By default
            these are the labels of the data, by the loss that follows from them and the last activation.
        loss: The loss by which outputs are compared with labels, as `prune` takes it. It replaces that of `task`.
        metrics: The metric of `task`, as `prune` takes it.
        element_size: How many bytes a weight or an activation takes on the device: 1 (int8) or 4 (float32).
        latency_table: The path of a table that `measure_latency` wrote, for budgets of latency.
        energy_model: The model of a board by which energy is counted, as `prune` takes it.
        widths: Rules for the widths that each group may have, as one object.
        exit: The early exit at which the subnetwork ends, such as `"exit_1"`, if the model has any. None for the last
            output. `prune` solves such a problem for each exit.
        transforms: One or several transform plugins, whose levels of layers are decided together with the widths.
        targets: One or several target plugins, of which one has to realise a level for it to be offered, as `prune`
            takes them.
        exchange_rate: The value of a loss of 1 in the units of the scores, by which the measured losses of levels are
            weighed against widths, as `prune` takes it.
        class_weight: How much the examples of each class count in scores, as `prune` takes it.
        strict: Whether to fail if a part of the model cannot be pruned. Otherwise the watcher gets a warning.
        seed: The seed of all random numbers.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"`, 1 or 2: warnings.
        more: Rules for widths, one by one: `keep`, `align`, `min_width`, `max_options` and `skip_blocks`. They replace
            those of `widths`; `help(reds_core.WidthOptions)` explains them.

    Returns:
        A `Formulation`, whose attribute `problem` is the `KnapsackProblem`. If no subnetwork meets the budget, the
        watcher gets a warning, and the problem is infeasible.

    Raises:
        InputError: If more than one amount of a resource is given, or another argument is invalid.
        UnsupportedError: If a part of the model cannot be loaded or, with `strict`, cannot be pruned.
        UnavailableError: If a library is not installed.

    Example:
        >>> problem = reds_core.formulate_model("model.keras", "data.npz", {"macs": 0.5}).problem
        >>> reds_core.save_problem(problem, "half.npz")
    """
    registry = given_registry(registry)
    given: dict[str, Any] = {
        "element_size": element_size,
        "latency_table": latency_table,
        "energy_model": energy_model,
        "seed": seed,
        "score_level": score_level,
    }
    given |= {"transforms": transforms, "targets": targets, "exchange_rate": exchange_rate}
    refuse_unknown(more, formulate_model, WidthOptions)
    rules = changed(widths or WidthRules(), more)
    settings = replace(changed(RunSettings(), given), widths=rules)
    settings.check_transforms(writes_files=False)
    options = given_options(options)
    check_skipping(settings)
    parsed = parse_budgets(texts_of(budgets))
    if len(parsed) != 1:
        raise InputError(
            f"{len(parsed)} budgets are given", "give one value for each resource, since a problem has one budget"
        )
    budget = parsed[0]
    settings.check_countable([budget])
    plugin = registry.create(Scorer, scorer, options)
    options = with_input_shape(options, input_shape, model, registry)
    check_options(registry, options, ((Scorer, scorer), FRAMEWORKS, *level_participants(settings)))
    check_level(plugin, settings.score_level)
    made = transforms_of(registry, settings)
    task = _task_of(task, loss, metrics)
    settings = replace(settings, options=options, task=task)
    source = given_data(data, task.is_labelled)
    if source is None:
        check_decided_without_data(made)
    if source is None and plugin.needs_data:
        raise InputError(
            f"scorer '{scorer}' needs training data",
            f"give {argument('data')}, or use {argument('scorer', 'magnitude')}",
        )
    exit = converted("exit", exit, str | None)
    latencies = settings.read_latencies()
    with following(verbose, watcher) as followed:
        framework, loaded, network = load_for_inspection(
            model, registry, options=options, imports=imports, strict=strict, watcher=followed
        )
        if latencies is not None:
            refuse_exits(network)
            rules = OfferedWidths.of(rules, latencies.offered)
        rules.check(network)
        devices = run_targets(registry, framework, settings).targets if made else ()

        def stated(network: Network, model: Any, _: str | None) -> Statement:
            costs = settings.costs(network, latencies)
            network, own = with_skipping(network, rules)
            space = levels_to_decide(network, (framework, model), made, devices)
            return Statement(network, costs, own, space)

        whole = stated(network, loaded, None)
        check_choices(whole.space)
        whole = with_exit_parts(whole, framework, loaded, stated)
        check_skippable(framework, whole.network, whole.rules)
        network, space, statement = whole.network, whole.space, part_at(whole, exit)
        thinned = thinning_warning(statement.network, statement.rules)
        warnings = [
            *notes_of(latencies),
            *skipping_warnings(statement.network, statement.rules),
            thinned,
            *(statement.space.warnings if statement.space else ()),
            *slack_warnings(whole, parsed),
        ]
        for warning in (*warnings, _infeasibility_warning(statement, parsed)):
            if warning is not None:
                followed.warn(warning)
        train = checked = None
        if source is not None:
            dataset = read_given(source, None, framework, loaded, settings)
            examples = labelled(framework, loaded, dataset.train, task, "training data")
            checked = framework.check_data(loaded, examples, task, "training data")
            for remark in data_warnings(framework, loaded, network, checked, None, None, labelled=task.is_labelled):
                followed.warn(remark)
            if class_weight is not None:
                checked = ClassWeights(class_weight_text(class_weight), checked).applied(checked)
            train = examples_in_memory(checked)
        scores = score(plugin, framework, loaded, network, train, task, settings.seed, settings.score_level)
        if checked is not None:
            measuring = LossMeasurement.sampled(framework, loaded, network, checked, task, settings.seed)
            scores = with_skipping_values(scores, measuring, network, settings.exchange_rate)
            scores = LayerLevels(space).with_level_values(scores, measuring, lambda _: settings.exchange_rate)
        stem = Path(model).stem if isinstance(model, str | PathLike) else network.name
        name = f"{stem}-{budget.name}" if exit is None else f"{stem}-{budget.name}-{exit}"
        return statement.formulate(scores, budget, name=name)


def _task_of(given: Task | TaskKind | str | None, loss: Any | None, metric: Any | None) -> Task:
    """Return the task with another loss or metric if these are given."""
    if not isinstance(given, Task):
        given = Task(kind=TaskKind.SUPERVISED if given is None else converted("task", given, TaskKind))
    return replace(given, loss=given.loss if loss is None else loss, metric=given.metric if metric is None else metric)


def _infeasibility_warning(statement: Statement, budgets: Iterable[SubnetworkBudget]) -> str | None:
    """A warning about a budget that no subnetwork meets. Such a problem is stated, since solvers are tested on them."""
    try:
        check_reachable(statement, budgets)
    except InfeasibleError as error:
        return str(error)
    return None
