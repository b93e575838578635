"""Halves the MACs of every family of keras.applications: `python benchmarks/keras_applications.py [NAME ...]`.

Each network has random weights, scaled so that its outputs vary over inputs. The script measures the number of groups,
the prunable share of the parameters, the time, the solver's gap, whether the smaller network equals the full one with
its removed channels masked, and whether its files give the same outputs. Measurements are stored in --out, one file for
each network; docs/results/keras-applications.md is written from all of them. Networks run one at a time in separate
processes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reds_core import Registry, Search
from reds_core.cost import macs, resource_forms
from reds_core.formulation import formulate
from reds_core.framework import ExportSource, Target, Task
from reds_core.knapsack import Controls
from reds_core.network import Kept, Network, WeightKind
from reds_core.scoring import Scorer, score
from reds_core.system import written_beside

REPOSITORY = Path(__file__).resolve().parents[1]
SUPPORT = REPOSITORY / "plugins" / "tensorflow" / "tests" / "support"
PAGE = REPOSITORY / "docs" / "results" / "keras-applications.md"
SHARE = 0.5
CALIBRATION, TESTED = 12, 6
"""Number of images for calibrating batch norms and comparing outputs."""
BRANCH_GAIN = {"ResNet101": 0.25, "NASNetMobile": 0.25}
"""Scale of the batch norms that end a residual branch; the scale of all others is 1.

In trained networks, branches only refine what they are added to. With a scale of 1, a difference grows by a tenth from
layer to layer, and float32 rounding alone changes the outputs of ResNet101 by 2e-3 of their variation over inputs.
"""

NETWORKS = (
    "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "ResNet50", "ResNet101", "ResNet50V2",
    "DenseNet121", "InceptionV3", "InceptionResNetV2", "Xception", "VGG16", "EfficientNetB0", "EfficientNetV2B0",
    "NASNetMobile", "ConvNeXtTiny",
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What was measured of one network.

    Attributes:
        prunable_share: of the parameters that stand in weights with channels to choose.
        inspect_s, formulate_s, solve_s: processor seconds; formulating includes scores and costs.
        gap: of the solution to the proven bound; None without a bound.
        macs_share: of the full network's MACs that the smaller one uses, recounted on it.
        masked_deviation: largest difference of an output from the masked network's, as a share of the standard
            deviation of that network's outputs over inputs.
        reload_deviation: the same of the reloaded .keras file from the smaller network.
        litert_deviation: the same of the .tflite file from the smaller network.
        float32_deviation: the same of the smaller network from itself in float64: what rounding alone does.
    """

    name: str
    side: int
    groups: int
    channels: int
    prunable_share: float
    warnings: int
    inspect_s: float
    formulate_s: float
    solve_s: float
    solver: str
    status: str
    gap: float | None
    macs_share: float
    masked_deviation: float
    reload_deviation: float
    litert_deviation: float
    float32_deviation: float


def images(count: int, side: int, seed: int) -> np.ndarray:
    """Smooth random images (count, side, side, 3) in 0..255: noise without structure would look alike to a network."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(0, 255, (count, 5, 5, 3))
    at = np.linspace(0, 4, side)
    low = np.minimum(at.astype(int), 3)
    weight = (at - low)[:, None, None]
    rows = small[:, low] * (1 - weight) + small[:, low + 1] * weight
    weight = (at - low)[:, None]
    smooth = rows[:, :, low] * (1 - weight) + rows[:, :, low + 1] * weight
    return np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype("float32")


def enliven(model: Any, x: np.ndarray, seed: int, branch_gain: float = 1.0) -> None:
    """Random weights with which outputs vary: He-scaled kernels, LayerScale near 1, batch norms calibrated on `x`."""
    import keras

    ends = branch_ends(model)
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            shape = tuple(variable.shape)
            if len(shape) > 1:
                depthwise = "depthwise" in variable.name or isinstance(layer, keras.layers.DepthwiseConv2D)
                fan_in = math.prod(shape[:-2] if depthwise else shape[:-1])
                variable.assign(rng.normal(0, math.sqrt(2 / fan_in), shape))
            else:
                near_one = variable.name == "gamma" or type(layer).__name__ == "LayerScale"
                gain = branch_gain if layer.name in ends else 1.0
                variable.assign(gain * rng.normal(float(near_one), 0.1, shape))
    calibrate(model, x)


def branch_ends(model: Any) -> set[str]:
    """Batch norms whose output is added to something that no batch norm has just made: a residual branch's last."""
    from keras import layers

    found = set()
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Add):
            made_by = [source._keras_history.operation for source in layer.input]
            made_by = [m.input._keras_history.operation if isinstance(m, layers.Dropout) else m for m in made_by]
            norms = [m.name for m in made_by if isinstance(m, layers.BatchNormalization)]
            found.update(norms if len(norms) < len(made_by) else ())
    return found


def calibrate(model: Any, x: np.ndarray) -> None:
    """Set the statistics of batch norms to those of `x`."""
    import keras

    norms = [(n, n.momentum) for n in model._flatten_layers() if isinstance(n, keras.layers.BatchNormalization)]
    for layer, _ in norms:
        layer.momentum = 0.0
    if norms:
        model(x, training=True)
    for layer, momentum in norms:
        layer.momentum = momentum


def convolve_channels_singly(model: Any) -> None:
    """Let convolutions with a group for each channel run as depthwise ones: the same sums by another kernel.

    Keras compiles grouped convolutions with XLA, which takes 25 s for one in float64 where this takes 0.01 s.
    """
    import tensorflow as tf
    from keras import layers

    def depthwise(layer: Any) -> Any:
        def convolution(x: Any, kernel: Any) -> Any:
            by_channel = tf.reshape(kernel, (*layer.kernel_size, x.shape[-1], -1))
            return tf.nn.depthwise_conv2d(x, by_channel, (1, *layer.strides, 1), layer.padding.upper())

        return convolution

    for layer in model._flatten_layers():
        if not isinstance(layer, layers.Conv2D) or layer.data_format != "channels_last":
            continue
        if layer.dilation_rate == (1, 1) and layer.groups == layer.input.shape[-1] > 1:
            layer.convolution_op = depthwise(layer)


def take_statistics(whole: Any, cut: Any, network: Network, kept: Kept) -> None:
    """Give `whole` the statistics that `cut` has of the channels it keeps."""
    from reds_tensorflow.extraction import variables

    for weight, target, source in zip(network.weights, variables(whole, network), variables(cut, network), strict=True):
        if weight.kind is WeightKind.STATISTIC:
            values = np.asarray(target).copy()
            values[np.ix_(*(axis.positions(kept, network.channels) for axis in weight.axes))] = np.asarray(source)
            target.assign(values)


def deviation(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference as a share of the standard deviation of `expected` over inputs, averaged over outputs."""
    spread = float(np.std(expected, axis=0).mean())
    if not spread > 1e-4 * float(np.abs(expected).mean()):
        raise SystemExit("the outputs do not vary over inputs: nothing is tested")
    return float(np.abs(actual - expected).max()) / spread


def measure(name: str, side: int, time_limit_s: float, out: Path) -> Figures:
    """Measure one network and leave its files in `out`."""
    registry = Registry()
    framework = registry.default_framework()
    framework.library_versions()
    from reds_tensorflow.quiet import importing

    with importing():
        import keras
    sys.path.append(str(SUPPORT))
    from keras_reference import masked_outputs, run_exported

    calibration, x = images(CALIBRATION, side, seed=0), images(TESTED, side, seed=1)

    def build(precision: str) -> Any:
        keras.utils.clear_session()  # layers have the same names in every precision
        keras.config.set_floatx(precision)
        builder = getattr(keras.applications, name)
        model = builder(weights=None, input_shape=(side, side, 3), classifier_activation=None)
        enliven(model, calibration, seed=0, branch_gain=BRANCH_GAIN.get(name, 1.0))
        return model

    model = build("float32")

    started = time.process_time()
    network = framework.inspect(model)
    inspected = time.process_time()
    scores = score(registry.create(Scorer, "magnitude"), framework, model, network, None, Task(), seed=0)
    forms = resource_forms(network, ["macs"])
    full = forms["macs"].at(network.channels)
    formulation = formulate(network, scores, forms, {"macs": math.floor(SHARE * full)}, name)
    formulated = time.process_time()
    solution = Search(registry, "auto", {}, Controls(time_limit_s)).answer(formulation.problem)
    solved = time.process_time()
    if solution.widths is None:
        raise SystemExit(f"{name}: no choice was found")

    kept = {group: np.sort(formulation.order[group][:width]) for group, width in solution.widths.items()}
    small = framework.extract(model, network, kept)
    calibrate(small, calibration)
    actual = np.asarray(small(x))
    recounted = framework.inspect(small)
    keras_path, litert_path = out / f"{name}.keras", out / f"{name}.tflite"
    framework.save_model(small, keras_path)
    reloaded = np.asarray(keras.models.load_model(keras_path, compile=False, safe_mode=True)(x))
    Registry().create(Target, "tflite").export(ExportSource(framework, small, recounted), litert_path)
    litert = run_exported(litert_path, x)
    rounded = small.get_weights()
    exact = build("float64")
    cut = framework.extract(exact, network, kept)
    convolve_channels_singly(exact)
    convolve_channels_singly(cut)
    calibrate(cut, calibration)
    take_statistics(exact, cut, network, kept)
    (masked,) = masked_outputs(exact, network, kept, x.astype("float64"))
    removed = np.asarray(cut(x))
    cut.set_weights(rounded)
    return Figures(
        name=name,
        side=side,
        groups=len(network.groups),
        channels=sum(network.channels.values()),
        prunable_share=network.prunable_share,
        warnings=len(network.warnings),
        inspect_s=inspected - started,
        formulate_s=formulated - inspected,
        solve_s=solved - formulated,
        solver=solution.solver,
        status=solution.status.value,
        gap=solution.gap,
        macs_share=macs(recounted).at(recounted.channels) / full,
        masked_deviation=deviation(removed, masked),
        reload_deviation=deviation(reloaded, actual),
        litert_deviation=deviation(litert, actual),
        float32_deviation=deviation(actual, np.asarray(cut(x))),
    )


def faults(figures: Figures) -> list[str]:
    """List the faults in the measurements of a network."""
    found = []
    if not 0.45 <= figures.macs_share <= SHARE:
        found.append(f"{100 * figures.macs_share:.1f} % of the MACs are used")
    if figures.masked_deviation > 1e-6:
        found.append(f"removed differs from masked by {figures.masked_deviation:.1e}")
    if figures.reload_deviation > 0:
        found.append(f"the reloaded file differs by {figures.reload_deviation:.1e}")
    if figures.litert_deviation > 1e-3:
        found.append(f"the LiteRT file differs by {figures.litert_deviation:.1e}")
    return found


def page(every: list[Figures]) -> str:
    """Render the page."""
    columns = (
        "network", "groups", "channels", "prunable", "inspect (s)", "formulate (s)", "solve (s)", "solver", "gap",
        "MACs used", "removed - masked", "LiteRT - Keras", "float32 - float64",
    )  # fmt: skip
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for f in every:
        gap = "none" if f.gap is None else "0" if f.gap == 0 else f"{f.gap:.1e}"
        cells = (
            f.name, f.groups, f.channels, f"{100 * f.prunable_share:.1f} %", f"{f.inspect_s:.2f}",
            f"{f.formulate_s:.2f}", f"{f.solve_s:.2f}", f.solver, gap, f"{100 * f.macs_share:.2f} %",
            f"{f.masked_deviation:.0e}", f"{f.litert_deviation:.0e}", f"{f.float32_deviation:.0e}",
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    missing = [name for name in NETWORKS if name not in {f.name for f in every}]
    if missing:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    return TEXT.replace("TABLE", "\n".join(lines))


TEXT = """# The networks of keras.applications

Made by `python benchmarks/keras_applications.py`. The networks of `keras.applications` in the installed Keras at 96 x
96 have random weights: He-scaled kernels, LayerScale near 1, and batch norms calibrated on random smooth images, so
that outputs vary over inputs. The batch norms that end a residual branch of ResNet101 and NASNetMobile have a scale of
a quarter, all others a scale of 1. Each network is cut to 50 % of its MACs by the `magnitude` scorer and the solver
that `--solver auto` selects.

TABLE

*prunable*: share of the parameters that are in weights with prunable channels on at least one axis. *gap*: (bound -
value) / value; 0 means proven optimal. *MACs used*: counted again on the smaller network. *removed - masked*: the
largest difference between an output of the smaller network and of the full one with its removed channels set to zero
where they are read, in float64, as a share of the standard deviation of the latter's outputs over inputs. The batch
norms of both have the statistics of the smaller network: with those of the full one, little of the variation passes a
random network's narrowest layers. *LiteRT - Keras*: the same difference between the float32 .tflite file and the
smaller network. *float32 - float64*: the same difference between the smaller network in Keras and itself in double
precision, with equal weights and statistics, which shows the effect of rounding alone. With residual branches at a
scale of 1 that is 2e-3 for ResNet101, and its file differs by 3e-3 from Keras. Every smaller network was saved as
.keras and reloaded by stock Keras in safe mode with equal outputs. Seconds are processor time of one run, without
importing and loading.
"""


def main() -> None:
    """Measure the given networks, or all that are not measured yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", help="networks to measure; by default all that are not measured yet")
    parser.add_argument("--side", type=int, default=96, help="height and width of the images in pixels")
    parser.add_argument(
        "--time-limit", type=float, default=600.0, help="time limit of each solve in seconds of wall time"
    )
    parser.add_argument("--out", type=Path, default=Path("keras-applications-out"))
    parser.add_argument("--here", action="store_true", help="measure the given network in this process")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        (name,) = arguments.networks
        figures = measure(name, arguments.side, arguments.time_limit, arguments.out)
        with written_beside(arguments.out / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(figures), indent=1))
        found = faults(figures)
        print(f"{name}: {'; '.join(found) or 'as it should be'}")
        sys.exit(1 if found else 0)
    waiting = arguments.networks or [n for n in NETWORKS if not (arguments.out / f"{n}.json").exists()]
    options = ["--side", str(arguments.side), "--time-limit", str(arguments.time_limit), "--out", str(arguments.out)]
    failed = [n for n in waiting if subprocess.run([sys.executable, __file__, n, *options, "--here"]).returncode]
    paths = [arguments.out / f"{name}.json" for name in NETWORKS]
    every = [Figures(**json.loads(path.read_text())) for path in paths if path.exists()]
    with written_beside(PAGE) as temporary:
        temporary.write_text(page(every))
    if failed:
        sys.exit(f"not as they should be: {', '.join(failed)}")


if __name__ == "__main__":
    main()
