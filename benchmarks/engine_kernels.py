"""Counts instructions a multiplication of the kernels of the C engine, on emulated Arm cores.

    python benchmarks/engine_kernels.py [CORE ...]
    python benchmarks/engine_kernels.py --write     # renews the table of docs/results/c-engine-kernels.md

Prints a table with a row for each layer and a column for each core (cortex-m3, cortex-m4, cortex-m7 and cortex-m55
where none is named). The layers are those of a keyword network, DS-CNN S, and some of other networks. Needs
arm-none-eabi-gcc and qemu-system-arm. Instructions are not cycles: the emulator knows no wait states and issues one
instruction at a time.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page_sections import put
from reds_c_engine.emulator import CORES, Core, run_on, unavailable
from reds_c_engine.kernel_files import FOLDER

PAGE = Path(__file__).parents[1] / "docs" / "results" / "c-engine-kernels.md"
M3 = Core("cortex-m3", "mps2-an385", "soft", 25_000_000)
CHOICE = {M3.name: M3, **CORES}


@dataclass(frozen=True)
class Layer:
    """A layer to measure: its kernel and settings, and how often a DS-CNN S has it."""

    name: str
    kernel: str
    size: tuple[int, int]
    channels: tuple[int, int]
    window: tuple[int, int] = (1, 1)
    stride: int = 1
    pad: tuple[int, int] = (0, 0)
    row: int = 0
    bits: int = 8
    times: int = 0
    clusters: int = 0
    density_percent: int = 100
    halves: str = ""

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the output, with as much padding below and to the right, or one more."""
        if "transposed" in self.kernel:
            return 17, 17
        if self.pad == (0, 0):
            return (
                (self.size[0] - self.window[0]) // self.stride + 1,
                (self.size[1] - self.window[1]) // self.stride + 1,
            )
        return -(-self.size[0] // self.stride), -(-self.size[1] // self.stride)

    @property
    def macs(self) -> int:
        """Multiplications of the layer, those with padding included."""
        if "transposed" in self.kernel:
            return self.size[0] * self.size[1] * self.channels[0] * self.channels[1] * self.window[0] * self.window[1]
        inputs = 1 if "depthwise" in self.kernel else self.channels[0]
        return self.out[0] * self.out[1] * self.channels[1] * inputs * self.window[0] * self.window[1]

    @property
    def is_coded(self) -> bool:
        """Whether the weights have codebooks or a mask."""
        return self.clusters > 0 or self.density_percent < 100

    @property
    def in_c(self) -> str:
        """A name in C for what only such a layer has."""
        return f"{self.kernel}_{self.channels[0]}_{self.bits}_{self.clusters}_{self.density_percent}{self.halves}"

    @property
    def declarations(self) -> str:
        """The weights of a layer with codebooks, a mask or halves, in C. The mask is random."""
        if self.halves:
            lower = "(const uint8_t *)weights + 18432" if self.halves == "both" else "0"
            return f"static const reds_split_weights split_{self.in_c} = {{(const uint8_t *)weights, {lower}}};\n"
        if not self.is_coded:
            return ""
        codebook, lines, mask = "weights" if self.clusters else "0", [], "0, 0"
        if self.density_percent < 100:
            of_channel = self.window[0] * self.window[1] * self.channels[0]
            kept = np.random.default_rng(0).random((self.channels[1], of_channel)) < self.density_percent / 100
            bits = np.packbits(kept, bitorder="little").tolist()
            starts = (np.cumsum(kept.sum(1)) - kept.sum(1)).tolist()
            for kind, name, numbers in (("uint8_t", "mask", bits), ("int32_t", "starts", starts)):
                lines.append(f"static const {kind} {name}_{self.in_c}[] = {{{', '.join(map(str, numbers))}}};")
            mask = f"mask_{self.in_c}, starts_{self.in_c}"
        values = f"(const uint8_t *)weights, {codebook}, {mask}, {self.bits}, {self.clusters}"
        return "\n".join([*lines, f"static const reds_coded_weights coded_{self.in_c} = {{{values}}};\n"])

    @property
    def settings(self) -> str:
        """The settings as an initialiser in C."""
        weights = f"&coded_{self.in_c}" if self.is_coded else f"&split_{self.in_c}" if self.halves else "weights"
        values = {
            "weights": weights, "bias": "bias", "multiplier": "multiplier", "shift": "shift",
            "row": self.row or self.channels["depthwise" in self.kernel], "groups": 1,
            "in_height": self.size[0], "in_width": self.size[1], "in_channels": self.channels[0],
            "out_height": self.out[0], "out_width": self.out[1], "out_channels": self.channels[1],
            "kernel_height": self.window[0], "kernel_width": self.window[1],
            "stride_y": self.stride, "stride_x": self.stride, "dilation_y": 1, "dilation_x": 1,
            "pad_top": self.pad[0], "pad_left": self.pad[1], "depth_multiplier": 1,
            "input_zero": -128, "output_zero": -128, "least": -128, "greatest": 127,
            "weight_bits": 0 if self.is_coded or self.halves else self.bits,
        }  # fmt: skip
        return "{" + ", ".join(f".{name} = {value}" for name, value in values.items()) + "}"


C, P, D = "reds_convolve", "reds_convolve_pointwise", "reds_convolve_depthwise"
LAYERS = (
    Layer("first convolution 10x4/2, 1 to 64, on 49x10", C, (49, 10), (1, 64), (10, 4), 2, (4, 1), times=1),
    Layer("depthwise 3x3, 64, on 25x5", D, (25, 5), (64, 64), (3, 3), 1, (1, 1), times=4),
    Layer("pointwise 64 to 64, on 25x5", P, (25, 5), (64, 64), times=4),
    Layer("dense 64 to 12", P, (1, 1), (64, 12), times=1),
    Layer("pointwise 45 to 51 of 64, on 25x5", P, (25, 5), (45, 51), row=64),
    Layer("dense 256 to 128", P, (1, 1), (256, 128)),
    Layer("first convolution 3x3/2, 3 to 8, on 48x48", C, (48, 48), (3, 8), (3, 3), 2, (0, 0)),
    Layer("convolution 3x3, 32 to 32, on 16x16", C, (16, 16), (32, 32), (3, 3), 1, (1, 1)),
    Layer("convolution 3x3, 24 of 32 to 24, on 16x16", C, (16, 16), (24, 24), (3, 3), 1, (1, 1), row=32),
    Layer("depthwise 3x3/2, 32, on 24x24", D, (24, 24), (32, 32), (3, 3), 2, (0, 0)),
    Layer("depthwise 3x3, 45 of 64, on 25x5", D, (25, 5), (45, 45), (3, 3), 1, (1, 1), row=64),
    Layer("transposed 3x3/2, 32 to 16, 8x8 to 17x17", C + "_transposed", (8, 8), (32, 16), (3, 3), 2),
    Layer("convolution 3x3, 32 to 32, on 8x8, 4 bits", C + "_packed", (8, 8), (32, 32), (3, 3), 1, (1, 1), bits=4),
    Layer("pointwise 64 to 64, on 25x5, 4 bits", C + "_packed", (25, 5), (64, 64), bits=4),
    Layer("pointwise 64 to 64, on 25x5, 2 bits", C + "_packed", (25, 5), (64, 64), bits=2),
    Layer("depthwise 3x3, 64, on 25x5, 4 bits", D + "_packed", (25, 5), (64, 64), (3, 3), 1, (1, 1), bits=4),
)
POINTWISE, CONV, DENSE = ((25, 5), (64, 64)), ((8, 8), (32, 32), (3, 3), 1, (1, 1)), ((1, 1), (256, 128))
DEPTHWISE = ((25, 5), (64, 64), (3, 3), 1, (1, 1))
CODED = (
    Layer("pointwise 64 to 64, on 25x5", P, *POINTWISE),
    Layer("16 values", C + "_coded", *POINTWISE, bits=4, clusters=16),
    Layer("4 values", C + "_coded", *POINTWISE, bits=2, clusters=4),
    Layer("2 values", C + "_coded", *POINTWISE, bits=1, clusters=2),
    Layer("density 50 %", C + "_sparse", *POINTWISE, density_percent=50),
    Layer("density 25 %", C + "_sparse", *POINTWISE, density_percent=25),
    Layer("density 10 %", C + "_sparse", *POINTWISE, density_percent=10),
    Layer("density 50 %, 16 values", C + "_sparse", *POINTWISE, bits=4, clusters=16, density_percent=50),
    Layer("convolution 3x3, 32 to 32, on 8x8", C, *CONV),
    Layer("16 values", C + "_coded", *CONV, bits=4, clusters=16),
    Layer("4 values", C + "_coded", *CONV, bits=2, clusters=4),
    Layer("density 50 %", C + "_sparse", *CONV, density_percent=50),
    Layer("density 25 %", C + "_sparse", *CONV, density_percent=25),
    Layer("density 10 %", C + "_sparse", *CONV, density_percent=10),
    Layer("dense 256 to 128", P, *DENSE),
    Layer("16 values", C + "_coded", *DENSE, bits=4, clusters=16),
    Layer("density 50 %", C + "_sparse", *DENSE, density_percent=50),
    Layer("density 25 %", C + "_sparse", *DENSE, density_percent=25),
    Layer("density 10 %", C + "_sparse", *DENSE, density_percent=10),
    Layer("depthwise 3x3, 64, on 25x5", D, *DEPTHWISE),
    Layer("16 values", D + "_coded", *DEPTHWISE, bits=4, clusters=16),
    Layer("4 values", D + "_coded", *DEPTHWISE, bits=2, clusters=4),
)
"""Layers with codebooks and masks, after the same layer with weights of 8 bits."""
SPLIT = tuple(
    layer
    for name, kernel, plain, (size, channels, *rest) in (
        ("pointwise 64 to 64, on 25x5", C, P, POINTWISE),
        ("convolution 3x3, 32 to 32, on 8x8", C, C, CONV),
        ("dense 256 to 128", C, P, DENSE),
        ("depthwise 3x3, 64, on 25x5", D, D, DEPTHWISE),
    )
    for layer in (
        Layer(name, plain, size, channels, *rest),
        Layer("8 bits in halves", f"{kernel}_split", size, channels, *rest, halves="both"),
        Layer("upper halves alone", f"{kernel}_split", size, channels, *rest, halves="upper"),
        Layer("4 bits, not shared", f"{kernel}_packed", size, channels, *rest, bits=4),
    )
)
"""Layers with weights in halves, after the same layer with weights of 8 bits."""


@dataclass(frozen=True)
class Other:
    """A kernel that is not a convolution: the type and the values of its settings, and the elements of its input."""

    name: str
    kernel: str
    kind: str
    settings: str
    elements: int


SMALL_POOL = "{16, 16, 32, 8, 8, 2, 2, 2, 2, 0, 0, -128, 127}"
SUM = "{4096, 4096, 0, -3, 5, 7, 1500000000, 1600000000, 1400000000, -1, -2, -18, 20, -128, 127}"
PRODUCT = "{4096, 4096, 0, -3, 5, 7, 0, 0, 1400000000, 0, 0, -8, 0, -128, 127}"
MEAN = "{125, 64, -128, -128, 1500000000, -6}"
WHOLE_POOL = "{25, 5, 64, 1, 1, 25, 5, 1, 1, 0, 0, -128, 127}"
OTHERS = (
    Other("average pool of 25x5, 64 channels", "reds_average_pool", "reds_pooling", WHOLE_POOL, 8000),
    Other("average pool 2x2/2, 32 channels, on 16x16", "reds_average_pool", "reds_pooling", SMALL_POOL, 8192),
    Other("maximum pool 2x2/2, 32 channels, on 16x16", "reds_max_pool", "reds_pooling", SMALL_POOL, 8192),
    Other("mean of 25x5, 64 channels", "reds_mean", "reds_reduction", MEAN, 8000),
    Other("sum of two tensors", "reds_add", "reds_arithmetic", SUM, 4096),
    Other("product of two tensors", "reds_multiply", "reds_arithmetic", PRODUCT, 4096),
    Other("table of an activation", "reds_lookup", "reds_lookup_table", "{4096, other}", 4096),
    Other("softmax of 12 classes", "reds_softmax", "reds_softmax_settings", "{1, 12, 1500000000, 22, -124}", 12),
)

PROGRAM = """
#include "emulator.h"
#include "reds_engine.h"
#include <stdio.h>
int8_t weights[36864], input[20480], other[4096], output[20480];
int32_t bias[128], multiplier[128];
int8_t shift[128];
SETTINGS
int main(void) {
  static const struct { reds_kernel *run; const void *settings; } layers[] = { LAYERS };
  for (unsigned i = 0; i < sizeof weights; i++) weights[i] = (int8_t)(i * 37 % 251 - 125);
  for (unsigned i = 0; i < sizeof input; i++) input[i] = (int8_t)(i * 91 % 241 - 120);
  for (unsigned i = 0; i < sizeof other; i++) other[i] = (int8_t)(i * 53 % 239 - 119);
  for (unsigned i = 0; i < 128; i++) multiplier[i] = 1500000000, shift[i] = -8;
  for (unsigned i = 0; i < sizeof layers / sizeof *layers; i++) {
    emulator_start();
    layers[i].run(layers[i].settings, input, other, output);
    printf("ticks %u %lu\\n", i, (unsigned long)emulator_stop());
  }
  return 0;
}
"""


def instructions(core: Core, calls: Sequence[tuple[str, str, str]], declarations: str = "") -> list[int]:
    """Return the instructions of calls on a core; each is a kernel, and the type and the values of its settings."""
    settings = declarations + "\n".join(
        f"static const {kind} settings{i} = {values};" for i, (_, kind, values) in enumerate(calls)
    )
    rows = ", ".join(f"{{{kernel}, &settings{i}}}" for i, (kernel, _, _) in enumerate(calls))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.c").write_text(PROGRAM.replace("SETTINGS", settings).replace("LAYERS", rows))
        kernels = [path for path in FOLDER.glob("reds_*.c") if path.name != "reds_engine.c"]
        emulation = run_on(core, folder, [folder / "bench.c", *kernels], include=[FOLDER])
    if emulation.status != 0:
        raise RuntimeError(emulation.output)
    return [emulation.instructions[str(i)] for i in range(len(calls))]


def rows_of(cores: Sequence[Core], names: Sequence[str], columns: Sequence[Sequence[float]]) -> str:
    """Return a table in Markdown with a column for each core."""
    lines = ["| layer | " + " | ".join(core.name for core in cores) + " |", "|---|" + "---:|" * len(cores)]
    for name, row in zip(names, zip(*columns, strict=True), strict=True):
        lines.append(f"| {name} | {' | '.join(f'{number:.2f}' for number in row)} |")
    return "\n".join(lines)


def table(cores: Sequence[Core]) -> str:
    """Return the table of instructions for each multiplication."""
    columns = []
    for core in cores:
        counts = instructions(core, [(layer.kernel, "reds_convolution", layer.settings) for layer in LAYERS])
        total = sum(layer.times * count for count, layer in zip(counts, LAYERS, strict=True))
        whole = total / sum(layer.times * layer.macs for layer in LAYERS)
        columns.append([*(count / layer.macs for count, layer in zip(counts, LAYERS, strict=True)), whole])
    return rows_of(cores, [*(layer.name for layer in LAYERS), "**DS-CNN S without its pooling**"], columns)


def other_table(cores: Sequence[Core]) -> str:
    """Return the table of instructions for each element of the input of other kernels."""
    counts = [instructions(core, [(call.kernel, call.kind, call.settings) for call in OTHERS]) for core in cores]
    columns = [[n / call.elements for n, call in zip(column, OTHERS, strict=True)] for column in counts]
    return rows_of(cores, [call.name for call in OTHERS], columns)


def grouped_table(cores: Sequence[Core], layers: Sequence[Layer]) -> str:
    """Return the table of instructions for each weight of layers in several forms, of which 8-bit weights come first.

    Weights that a mask leaves out count as well.
    """
    calls = [(layer.kernel, "reds_convolution", layer.settings) for layer in layers]
    declarations = "".join(layer.declarations for layer in layers)
    columns = [
        [count / layer.macs for count, layer in zip(instructions(core, calls, declarations), layers, strict=True)]
        for core in cores
    ]
    is_first = [layer.bits == 8 and not layer.is_coded and not layer.halves for layer in layers]
    names = [layer.name if first else f"&emsp;{layer.name}" for layer, first in zip(layers, is_first, strict=True)]
    return rows_of(cores, names, columns)


def main() -> None:
    """Print the tables, or write them into the page."""
    if unavailable():
        sys.exit(unavailable())
    if sys.argv[1:] == ["--write"]:
        put(PAGE, "instructions", table(list(CHOICE.values())))
        put(PAGE, "others", other_table(list(CHOICE.values())))
        put(PAGE, "coded", grouped_table(list(CHOICE.values()), CODED))
        put(PAGE, "split", grouped_table(list(CHOICE.values()), SPLIT))
    else:
        cores = [CHOICE[name] for name in sys.argv[1:] or CHOICE]
        print(f"{table(cores)}\n\n{other_table(cores)}\n\n{grouped_table(cores, CODED)}")
        print(f"\n{grouped_table(cores, SPLIT)}")


if __name__ == "__main__":
    main()
