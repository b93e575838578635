"""`reds audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import Imports, Json, OptionTexts, Seed, parse_plugin_options, print_json, results_kept
from reds_core.commands.verbosity import chosen_verbose


def audit_command(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR", help="The folders of finished runs. Their subnetworks of one name are one population."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="The data set of the runs, with test data: digits, mnist, fashion_mnist, cifar10, tfds:NAME, an .npz "
            "file, or a folder of images. An .npz may name the group of each test example in an array group_test.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results.")],
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Train the input model further with N seeds, as the runs trained, for a population of uncompressed "
            "networks.",
            show_default="the input models of the runs are the uncompressed networks",
            min=1,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="The epochs of these trainings.", show_default="those of the runs", min=1),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The input model of the runs.", show_default="read from where the runs read it"
        ),
    ] = None,
    ablations: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="How many random ablations attribute channels to examples. 0 attributes none.",
            min=0,
        ),
    ] = 256,
    ablated_fraction: Annotated[
        float,
        typer.Option(metavar="SHARE", help="The share of the channels that each ablation sets to zero."),
    ] = 0.05,
    attribution_examples: Annotated[
        int,
        typer.Option(metavar="N", help="The largest number of test examples for attribution.", min=2),
    ] = 1000,
    repair_ablations: Annotated[
        bool,
        typer.Option(
            "--repair-ablations",
            help="Measure the batch-norm statistics of each ablated network anew, as those of subnetworks are. This "
            "takes about three times as long.",
        ),
    ] = False,
    option: OptionTexts = None,
    imports: Imports = None,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the audit in DIR.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds audit`."""
    from reds_core.runs.auditing import run_audit
    from reds_core.runs.folder import Mode

    audit = run_audit(
        folders,
        data,
        out,
        seeds=seeds,
        epochs=epochs,
        model=model,
        ablations=ablations,
        ablated_fraction=ablated_fraction,
        attribution_examples=attribution_examples,
        repair_ablations=repair_ablations,
        seed=seed,
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(audit)
        return
    with results_kept():
        print(audit)
        print(f"wrote audit.json, tables and report.html to {out}")
