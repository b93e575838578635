"""Audits finished runs: which classes, examples and groups compression hurts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from reds_core.audit.records import AUDIT_FILE
from reds_core.audit.result import Audit
from reds_core.audit.writing import write_audit
from reds_core.errors import InputError, argument
from reds_core.plan import PLAN_FILE
from reds_core.plugin import PluginOptions
from reds_core.progress import Verbose, following
from reds_core.registry import Registry, given_registry
from reds_core.runs.audit_attribution import (
    ABLATED_FRACTION,
    ABLATIONS,
    ATTRIBUTED_EXAMPLES,
    AttributionSettings,
)
from reds_core.runs.audit_data import read_audit_data
from reds_core.runs.audit_populations import Populations
from reds_core.runs.audited_runs import InputModels, read_runs
from reds_core.runs.dataset import Dataset
from reds_core.runs.folder import Mode
from reds_core.runs.forms import DataObject, Imports, mode_of
from reds_core.runs.given_data import given_data
from reds_core.runs.options import given_options
from reds_core.runs.participants import FRAMEWORKS, check_options
from reds_core.runs.provenance import versions_of
from reds_core.runs.settings import merged_options
from reds_core.system.files import given_path, remove_partial_files
from reds_core.system.folder_lock import locked_folder
from reds_core.system.record_lines import RECORDS_FILE
from reds_core.system.users_code import import_names
from reds_core.watcher import Watcher


def run_audit(
    folders: str | PathLike[str] | Sequence[str | PathLike[str]],
    data: str | PathLike[str] | Dataset | DataObject,
    out: str | PathLike[str],
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    model: str | PathLike[str] | None = None,
    groups: Any | None = None,
    ablations: int = ABLATIONS,
    ablated_fraction: float = ABLATED_FRACTION,
    attribution_examples: int = ATTRIBUTED_EXAMPLES,
    repair_ablations: bool = False,
    seed: int = 0,
    mode: Mode | str = Mode.REFUSE,
    options: PluginOptions | None = None,
    imports: Imports = (),
    registry: Registry | None = None,
    watcher: Watcher | None = None,
    verbose: Verbose = "auto",
) -> Audit:
    """Find out whom compression hurts: classes, single examples and groups of examples.

    This is what `reds audit` does. The members of one name over all folders are one population of compressed networks.
    The input models of the runs, if they differ, or else one input model that is trained further with several seeds,
    are the population of uncompressed ones. Both are compared on test data, which is used for no training and for no
    choice.

    Args:
        folders: One or several folders of finished runs.
        data: The data of the runs, as `prune` takes it, with test data.
        out: The folder of the results: audit.json (format `reds-audit/1`), tables as CSV, report.html, and the networks
            that were trained.
        seeds: With how many seeds the input model is trained for the population of uncompressed networks. None means
            that the input models of the runs are that population.
        epochs: For how many epochs it is trained. None means as many as the runs.
        model: The file of the input model, if it is no longer where the runs read it.
        groups: The group of each test example, numbers or texts (N,). None means the array `group_test` of an .npz
            that has one.
        ablations: The number of random ablations of each input model by which channels are attributed to examples. 0
            means no attribution.
        ablated_fraction: The share of all channels that each ablation sets to zero, above 0 and below 1.
        attribution_examples: The maximum number of test examples for attribution.
        repair_ablations: Whether the batch-norm statistics of each ablated network are measured anew on 512 training
            examples, as those of subnetworks are. This takes about three times as long.
        seed: The seed of ablations and of resampling, and the first seed of trainings.
        mode: What to do if `out` already holds an audit: `"refuse"` or `"overwrite"`.
        options: Options of plugins, as `{plugin: {key: text}}`, which take precedence over those of the first run.
        imports: One or several Python files or names of modules that define custom layers.
        registry: The plugins to choose from. By default they are all that are installed.
        watcher: An object that is notified of progress and warnings.
        verbose: What is shown on stderr if there is no `watcher`. 0: nothing; `"auto"` or 1: a bar in a terminal or a
            notebook, lines elsewhere; 2: lines.

    Returns:
        An `Audit`, with the attributes `classes`, `exemplars`, `members` and `groups`. `print` shows it as a table.

    Raises:
        InputError: If a folder holds no finished run, the data is not that of the runs or has no test data with
            classes, the networks have different classes, or `out` already holds an audit.
        UnsupportedError: If a part of a model cannot be loaded.
        UnavailableError: If a library is not installed.

    Example:
        >>> audit = reds_core.run_audit(["slim-0", "slim-1"], "data.npz", "audit", seeds=2)
        >>> [each.name for each in audit.classes if each.after["50"].is_hurt]
    """
    registry, options = given_registry(registry), given_options(options)
    attribution = AttributionSettings(ablations, ablated_fraction, attribution_examples, repair_ablations)
    folder, how = given_path(out, "out"), mode_of(mode)
    if how is Mode.RESUME:
        raise InputError("an audit cannot be resumed", "run it again, which keeps the networks that it has trained")
    if seeds is not None and seeds < 1:
        raise InputError(f"{argument('seeds')} is {seeds}", "give 1 or more, or leave it out")
    if epochs is not None and (seeds is None or epochs < 1):
        what = "has no effect without seeds" if seeds is None else f"is {epochs}"
        fix = f"give {argument('seeds')}, or leave it out" if seeds is None else "give 1 or more"
        raise InputError(f"{argument('epochs')} {what}", fix)
    check_options(registry, options, (FRAMEWORKS,))
    listed = [folders] if isinstance(folders, str | PathLike) else list(folders)
    runs = read_runs([given_path(each, "folder") for each in listed])
    source = given_data(data)
    if source is None:
        raise InputError("no data is given", f"give {argument('data')}")
    _check_free(folder, how)
    made = merged_options(runs[0].settings.options, options)  # the runs may have set the shape of the input, for one
    framework = registry.default_framework(made, import_names(imports))
    found = None if model is None else given_path(model, "model")
    inputs = InputModels.of(runs, framework, found, seeds)
    with locked_folder(folder, "an audit"), following(verbose, watcher, runs[0].settings.task.metric) as followed:
        _check_free(folder, how)
        followed.stage("reading the data")
        known = read_audit_data(source, groups, framework, framework.load_model(inputs.files[0]), runs)
        remove_partial_files(folder)
        populations = Populations(runs, framework, inputs, known, folder, seed, followed)
        trained = None if seeds is None else populations.trained(seeds, epochs)
        audit = populations.audit(trained, attribution, versions_of(registry, framework))
        followed.stage("writing the report")
        (folder / AUDIT_FILE).unlink(missing_ok=True)
        populations.save_pictures(audit)
        write_audit(audit, folder, followed.warn)
    return audit


def _check_free(folder: Path, mode: Mode) -> None:
    for name in (PLAN_FILE, RECORDS_FILE):
        if (folder / name).exists():
            raise InputError(f"'{folder}' holds a run or a comparison", f"choose another {argument('out')}")
    if mode is Mode.REFUSE and (folder / AUDIT_FILE).exists():
        raise InputError(
            f"'{folder}' holds a finished audit",
            f"add {argument('mode', 'overwrite')} to replace it, or choose another {argument('out')}",
        )
