"""Random calls of kernels with the outputs that straightforward NumPy computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from c_kernels import Case, Value
from reds_c_engine.packing import packed_kernel
from reds_litert.kernel_packing import KernelPacking

Random = np.random.Generator


def rescaled(sums: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """What gemmlowp makes of sums: a doubling high product, then a division that rounds half away from 0."""
    sums, multiplier, shift = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (sums, multiplier, shift)))
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    shifted = (sums << left).astype(np.int32).astype(np.int64)  # 32-bit arithmetic wraps
    product = shifted * multiplier
    product += np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(product >= 0, product >> 31, -(-product >> 31))  # C division truncates
    mask = (np.int64(1) << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def int8s(random: Random, *shape: int) -> np.ndarray:
    return random.integers(-128, 128, shape).astype(np.int8)


def scales(random: Random, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and shifts, one for each channel (last axis), that bring sums to about the range of int8."""
    channels = sums.shape[-1]
    spread = np.abs(sums.reshape(-1, channels)).mean(0) + 1
    shift = np.round(np.log2(60 / spread)).astype(int) + random.integers(-1, 2, channels)
    multiplier = random.integers(1 << 30, 1 << 31, channels)
    return multiplier.astype(np.int32), np.clip(shift, -31, 7).astype(np.int8)


def limits(random: Random) -> tuple[int, int]:
    if random.random() < 0.5:
        return -128, 127
    low, high = sorted(random.integers(-128, 128, 2))
    return int(low), int(high)


def limited(values: np.ndarray, zero: int, least: int, greatest: int) -> np.ndarray:
    return np.clip(values + zero, least, greatest).astype(np.int8)


def packed(weights: np.ndarray, bits: int) -> np.ndarray:
    """Weights without gaps, the first in the lowest bits of a byte."""
    each = 8 // bits
    padded = np.pad(weights.reshape(-1), (0, -weights.size % each), constant_values=1)
    fields = (padded.astype(np.int64) & ((1 << bits) - 1)).reshape(-1, each)
    return (fields << (bits * np.arange(each))).sum(-1).astype(np.uint8)


def coded(store: np.ndarray, axis: int, bits: int, clusters: int, density_percent: int) -> dict[str, Value]:
    """Weights with codebooks, a mask, or both, as the generator packs them."""
    made = packed_kernel(store.astype(np.int8), axis, KernelPacking(bits, clusters, density_percent))

    def array(content: bytes, dtype: type = np.uint8) -> np.ndarray | None:
        return np.frombuffer(content, dtype) if content else None

    starts = np.array(made.starts, np.int32) if made.starts else None
    return {
        "values": array(made.values), "codebook": array(made.codebooks, np.int8), "mask": array(made.mask),
        "starts": starts, "bits": bits, "clusters": clusters,
    }  # fmt: skip


def chosen(
    random: Random, count: int, row: int, segmented: bool
) -> tuple[list[tuple[int, int, int]] | None, np.ndarray]:
    """Segments (or `None`) that take `count` of the `row` elements of a row, and the elements that they take."""
    if not segmented:
        return None, np.arange(count)
    cuts = np.unique(np.concatenate([[0, count], random.integers(0, count + 1, 2)]))
    gaps = np.sort(random.integers(0, row - count + 1, len(cuts) - 1))
    segments = [(int(a), int(a + gap), int(b - a)) for a, b, gap in zip(cuts[:-1], cuts[1:], gaps, strict=True)]
    return segments, np.concatenate([np.arange(weight, weight + size) for _, weight, size in segments])


def taps(image: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int],
         out: tuple[int, int], pad: tuple[int, int], fill: int) -> np.ndarray:  # fmt: skip
    """What each tap sees, as (out height, out width, kernel height, kernel width, channels)."""
    reach = [o * s + k * d for o, s, k, d in zip(out, stride, kernel, dilation, strict=True)]
    after = [max(r - n - p, 0) for r, n, p in zip(reach, image.shape, pad, strict=False)]
    wide = np.pad(image.astype(np.int64), [(pad[0], after[0]), (pad[1], after[1]), (0, 0)], constant_values=fill)
    y = np.arange(out[0])[:, None] * stride[0] + np.arange(kernel[0]) * dilation[0]
    x = np.arange(out[1])[:, None] * stride[1] + np.arange(kernel[1]) * dilation[1]
    return wide[y[:, None, :, None], x[None, :, None, :]]


def window(random: Random, plain: bool) -> tuple[list[tuple[int, int]], ...]:
    """Random sizes along both axes: of the input, kernel, stride, dilation, padding and output."""
    axes = []
    for _ in range(2):
        while True:
            size, kernel = (int(n) for n in random.integers(1, (9, 5)))
            stride, dilation = (1, 1) if plain else (int(n) for n in random.integers(1, (4, 3)))
            before, after = (int(n) for n in random.integers(0, kernel, 2))
            out = (size + before + after - (kernel - 1) * dilation - 1) // stride + 1
            if out >= 1 and before <= (kernel - 1) * dilation:
                axes.append((size, kernel, stride, dilation, before, out))
                break
    return tuple(zip(*axes, strict=True))


def convolution(random: Random, bits: int = 8, depthwise: bool = False, pointwise: bool = False,
                transposed: bool = False, segmented: bool | None = None, grouped: bool | None = None,
                multiplied: bool | None = None, channels: tuple[int, int] | None = None,
                clusters: int = 0, density_percent: int = 100,
                sizes: tuple[tuple[int, int], ...] | None = None, extreme: bool = False) -> Case:  # fmt: skip
    """A convolution; what is not given is random."""
    size, kernel, stride, dilation, pad, out = sizes or window(random, plain=random.random() < 0.4)
    if pointwise:
        kernel, stride, dilation, pad, out = (1, 1), (1, 1), (1, 1), (0, 0), size
    if transposed:
        dilation = (1, 1)
        out = tuple((n - 1) * s + k - p - min(p, 1) for n, s, k, p in zip(size, stride, kernel, pad, strict=True))
        if min(out) < 1:
            pad, out = (0, 0), tuple((n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True))
    segmented = not pointwise and random.random() < 0.3 if segmented is None else segmented
    is_sparse = density_percent < 100
    segmented = segmented and not is_sparse
    grouped = not (pointwise or depthwise or transposed) and random.random() < 0.2 if grouped is None else grouped
    groups = int(random.integers(2, 4)) if grouped else 1
    ins, outs = channels or (int(n) for n in random.integers(1, (40, 14)))
    times = 1
    if depthwise:
        multiplied = random.random() < 0.3 if multiplied is None else multiplied
        times = int(random.integers(2, 5)) if multiplied else 1
        outs = ins * times
    outs *= groups
    of_row = outs if depthwise else ins
    row = of_row + int(random.integers(0, 9)) * (random.random() < 0.6 and not is_sparse)
    segments, elements = chosen(random, of_row, row, segmented)
    high = 1 << (bits - 1)
    store = random.integers(-high, high, (*kernel, row) if depthwise else (outs, *kernel, row))
    axis = -1 if depthwise else 0
    if clusters:
        books = random.integers(-128, 128, (store.shape[axis], clusters))
        codes = random.integers(0, min(clusters, 1 << bits), store.shape)
        index = np.arange(len(books)).reshape([-1 if k == axis % store.ndim else 1 for k in range(store.ndim)])
        store = books[index, codes]
    if is_sparse:
        store = store * (random.random(store.shape) < density_percent / 110)
        store.reshape(-1)[: store.size - -(-store.size * density_percent // 100)] = 0
    image = int8s(random, *size, ins * groups)
    if extreme:
        store[...] = -high
        image[...] = -128
    zero = int(random.integers(-128, 128)) if random.random() < 0.8 else 0
    member = store[..., elements]
    if transposed:
        sums = np.zeros((*out, outs), np.int64)
        for iy, ix, ky, kx in np.ndindex(*size, *kernel):
            y, x = iy * stride[0] - pad[0] + ky, ix * stride[1] - pad[1] + kx
            if 0 <= y < out[0] and 0 <= x < out[1]:
                sums[y, x] += member[:, ky, kx] @ (image[iy, ix].astype(np.int64) - zero)
    else:
        seen = taps(image, kernel, stride, dilation, out, pad, zero) - zero
        if depthwise:
            sums = (np.repeat(seen, times, -1) * member).sum((2, 3))
        else:
            parts = seen.reshape(*seen.shape[:4], groups, ins)
            sums = np.einsum("yxhwgi,gohwi->yxgo", parts, member.reshape(groups, -1, *kernel, ins)).reshape(*out, outs)
    bias = random.integers(-2000, 2000, outs)
    sums = sums + bias
    multiplier, shift = scales(random, sums)
    output_zero = int(random.integers(-128, 128))
    least, greatest = limits(random)
    expected = limited(rescaled(sums, multiplier, shift), output_zero, least, greatest)
    of_output = member.sum((0, 1)) if depthwise else member.sum((1, 2, 3))
    kind = "_depthwise" if depthwise else "_pointwise" if pointwise else "_transposed" if transposed else ""
    settings: dict[str, Value] = {
        "weights": coded(store, axis, bits, clusters, density_percent) if clusters or is_sparse
        else store.astype(np.int8) if bits == 8 else packed(store, bits),
        "bias": (bias if transposed else bias - zero * of_output).astype(np.int32),
        "multiplier": multiplier, "shift": shift,
        "segments": segments, "segment_count": len(segments or ()), "row": row,
        "in_height": size[0], "in_width": size[1], "in_channels": ins,
        "out_height": out[0], "out_width": out[1], "out_channels": outs, "groups": groups,
        "kernel_height": kernel[0], "kernel_width": kernel[1], "stride_y": stride[0], "stride_x": stride[1],
        "dilation_y": dilation[0], "dilation_x": dilation[1], "pad_top": pad[0], "pad_left": pad[1],
        "depth_multiplier": times, "input_zero": zero, "output_zero": output_zero,
        "least": least, "greatest": greatest, "weight_bits": 0 if clusters or is_sparse else bits,
    }  # fmt: skip
    if clusters or is_sparse:
        kind = "_sparse" if is_sparse else f"{'_depthwise' if depthwise else ''}_coded"
    elif bits < 8:
        kind += "_packed"
    name = f"reds_convolve{kind}"
    return Case(name, "reds_convolution", settings, image, None, expected)


def any_sums(random: Random) -> Case:
    """A pointwise convolution whose sums, multipliers and shifts are any that 32 bits can hold."""
    case = convolution(random, pointwise=True, channels=(3, 64))
    outs = case.expected.shape[-1]
    bias = random.integers(-(1 << 31), 1 << 31, outs).astype(np.int32)
    bias[:4] = -(1 << 31), (1 << 31) - 1, 0, -1
    multiplier = random.integers(1 << 30, 1 << 31, outs).astype(np.int32)
    multiplier[4:8] = 0, 1 << 30, (1 << 31) - 1, 12345
    shift = random.integers(-31, 3, outs).astype(np.int8)
    settings = {**case.settings, "weights": np.zeros_like(case.settings["weights"])}
    settings |= {"bias": bias, "multiplier": multiplier, "shift": shift, "output_zero": 0}
    values = limited(rescaled(bias, multiplier, shift), 0, settings["least"], settings["greatest"])
    return replace(case, settings=settings, expected=np.broadcast_to(values, case.expected.shape).copy())


def large(random: Random, depthwise: bool = False, **settings: bool | int) -> Case:
    """A convolution with more channels and taps than the kernels compute at a time."""
    axes = []
    for _ in range(2):
        kernel, stride = int(random.integers(*((4, 9) if depthwise else (2, 4)))), int(random.integers(1, 3))
        pad = int(random.integers(0, kernel))
        size = int(random.integers(kernel, kernel + 3))
        axes.append((size, kernel, stride, 1, pad, (size + pad - kernel) // stride + 1))
    channels = tuple(int(n) for n in random.integers((30, 30), (150, 40)))
    sizes = tuple(zip(*axes, strict=True))
    return convolution(random, depthwise=depthwise, sizes=sizes, channels=channels, **settings)


def pooling(random: Random, kernel_name: str = "reds_average_pool") -> Case:
    size, kernel, stride, _, pad, _ = window(random, plain=False)
    out = tuple(max((n + p - k) // s + 1, 1) for n, k, s, p in zip(size, kernel, stride, pad, strict=True))
    channels = int(random.integers(1, 40))
    image = int8s(random, *size, channels)
    least, greatest = limits(random)
    inside = taps(np.ones_like(image), kernel, stride, (1, 1), out, pad, 0).sum((2, 3))
    if kernel_name == "reds_average_pool":
        sums = taps(image, kernel, stride, (1, 1), out, pad, 0).sum((2, 3))
        count = np.maximum(inside, 1)
        values = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
    else:
        values = taps(image, kernel, stride, (1, 1), out, pad, -128).max((2, 3))
    settings: dict[str, Value] = {
        "in_height": size[0], "in_width": size[1], "channels": channels, "out_height": out[0], "out_width": out[1],
        "kernel_height": kernel[0], "kernel_width": kernel[1], "stride_y": stride[0], "stride_x": stride[1],
        "pad_top": pad[0], "pad_left": pad[1], "least": least, "greatest": greatest,
    }  # fmt: skip
    return Case(kernel_name, "reds_pooling", settings, image, None, limited(values, 0, least, greatest))


def mean(random: Random) -> Case:
    positions, channels = (int(n) for n in random.integers(1, (60, 40)))
    image = int8s(random, positions, channels)
    input_zero, output_zero = (int(n) for n in random.integers(-128, 128, 2))
    sums = (image.astype(np.int64) - input_zero).sum(0)
    multiplier, shift = scales(random, sums[:, None].reshape(-1, 1))
    settings: dict[str, Value] = {
        "positions": positions, "channels": channels, "input_zero": input_zero, "output_zero": output_zero,
        "multiplier": int(multiplier[0]), "shift": int(shift[0]),
    }  # fmt: skip
    expected = limited(rescaled(sums, multiplier[0], shift[0]), output_zero, -128, 127)
    return Case("reds_mean", "reds_reduction", settings, image, None, expected)


def lookup(random: Random) -> Case:
    values, table = int8s(random, int(random.integers(1, 70))), int8s(random, 256)
    settings: dict[str, Value] = {"count": values.size, "table": table}
    return Case("reds_lookup", "reds_lookup_table", settings, values, None, table[values.astype(int) + 128])


def arithmetic(random: Random, kernel_name: str = "reds_add") -> Case:
    period, blocks = (int(n) for n in random.integers(1, (20, 6)))
    if random.random() < 0.3:
        period = 1
    first, second = int8s(random, blocks, period), int8s(random, period if random.random() < 0.5 else blocks * period)
    zeros = [int(n) for n in random.integers(-128, 128, 3)]
    a, b = first.astype(np.int64) - zeros[0], second.reshape(-1, period).astype(np.int64) - zeros[1]
    multipliers = [int(n) for n in random.integers(1 << 30, 1 << 31, 3)]
    if kernel_name == "reds_multiply":
        shifts = [0, 0, int(random.integers(-12, 3))]
        values = rescaled(a * b, multipliers[2], shifts[2])
    else:
        shifts = [int(n) for n in random.integers((-7, -7, -22), (1, 1, -16))]
        a, b = (rescaled(v << 20, m, e) for v, m, e in zip((a, b), multipliers, shifts, strict=False))
        values = rescaled(a - b if kernel_name == "reds_subtract" else a + b, multipliers[2], shifts[2])
    least, greatest = limits(random)
    constant = random.random() < 0.5
    settings: dict[str, Value] = {
        "count": first.size, "period": second.size, "constant": second if constant else None,
        "first_zero": zeros[0], "second_zero": zeros[1], "output_zero": zeros[2],
        "first_multiplier": multipliers[0], "second_multiplier": multipliers[1], "output_multiplier": multipliers[2],
        "first_shift": shifts[0], "second_shift": shifts[1], "output_shift": shifts[2], "left_shift": 20,
        "least": least, "greatest": greatest,
    }  # fmt: skip
    expected = limited(values, zeros[2], least, greatest)
    return Case(kernel_name, "reds_arithmetic", settings, first, None if constant else second, expected)


def copy(random: Random) -> Case:
    count, size, more, further = (int(n) for n in random.integers((1, 1, 0, 0), (6, 20, 5, 9)))
    values, before = int8s(random, count, size + more), int8s(random, count, size + further)
    expected = before.copy()
    expected[:, :size] = values[:, :size]
    settings: dict[str, Value] = {
        "count": count, "size": size, "input_stride": size + more, "output_stride": size + further,
    }  # fmt: skip
    return Case("reds_copy", "reds_blocks", settings, values, None, expected, before)


def padding(random: Random) -> Case:
    height, width, channels = (int(n) for n in random.integers(1, (6, 6, 9)))
    pads = [(int(a), int(b)) for a, b in random.integers(0, 4, (3, 2))]
    image, value = int8s(random, height, width, channels), int(random.integers(-128, 128))
    expected = np.pad(image, pads, constant_values=value)
    settings: dict[str, Value] = {
        "in_height": height, "in_width": width, "out_height": expected.shape[0], "out_width": expected.shape[1],
        "channels": channels, "channels_before": pads[2][0], "out_channels": expected.shape[2],
        "pad_top": pads[0][0], "pad_left": pads[1][0], "value": value,
    }  # fmt: skip
    return Case("reds_pad", "reds_padding", settings, image, None, expected)


def everything() -> dict[str, Callable[[Random], Case]]:
    """The makers of random cases, by a name for each kind."""
    return {
        "convolve": convolution,
        "convolve_plain": lambda r: convolution(r, segmented=False, grouped=False),
        "convolve_extreme": lambda r: convolution(r, extreme=True),
        "pointwise": lambda r: convolution(r, pointwise=True),
        "pointwise_extreme": lambda r: convolution(r, pointwise=True, extreme=True),
        "any_sums": any_sums,
        "depthwise": lambda r: convolution(r, depthwise=True),
        "depthwise_plain": lambda r: convolution(r, depthwise=True, segmented=False, multiplied=False),
        "depthwise_extreme": lambda r: convolution(r, depthwise=True, extreme=True),
        "convolve_large": lambda r: large(r, segmented=False, grouped=False),
        "convolve_large_segments": lambda r: large(r, segmented=True, grouped=False),
        "pointwise_large": lambda r: large(r, pointwise=True),
        "depthwise_large": lambda r: large(r, depthwise=True),
        "packed_large_4_bits": lambda r: large(r, bits=4, grouped=False, segmented=False),
        "packed_large_2_bits": lambda r: large(r, bits=2, grouped=False, segmented=False),
        "depthwise_packed_large": lambda r: large(r, bits=4, depthwise=True),
        "transposed": lambda r: convolution(r, transposed=True),
        "convolve_4_bits": lambda r: convolution(r, bits=4),
        "convolve_2_bits": lambda r: convolution(r, bits=2),
        "depthwise_4_bits": lambda r: convolution(r, bits=4, depthwise=True),
        "depthwise_2_bits": lambda r: convolution(r, bits=2, depthwise=True),
        "coded_16": lambda r: convolution(r, bits=4, clusters=16),
        "coded_4": lambda r: convolution(r, bits=2, clusters=4),
        "coded_2": lambda r: convolution(r, bits=1, clusters=2),
        "coded_16_in_2_bits": lambda r: convolution(r, bits=2, clusters=16),
        "coded_plain_16": lambda r: convolution(r, bits=4, clusters=16, segmented=False, grouped=False),
        "coded_pointwise_4": lambda r: convolution(r, bits=2, clusters=4, pointwise=True),
        "coded_extreme": lambda r: convolution(r, bits=4, clusters=16, extreme=True),
        "coded_large_16": lambda r: large(r, bits=4, clusters=16, grouped=False, segmented=False),
        "coded_large_2": lambda r: large(r, bits=1, clusters=2, grouped=False),
        "coded_depthwise_16": lambda r: convolution(r, bits=4, clusters=16, depthwise=True),
        "coded_depthwise_2": lambda r: convolution(r, bits=1, clusters=2, depthwise=True),
        "coded_depthwise_large": lambda r: large(r, bits=2, clusters=4, depthwise=True),
        "sparse_50": lambda r: convolution(r, density_percent=50),
        "sparse_12": lambda r: convolution(r, density_percent=12, grouped=False),
        "sparse_99": lambda r: convolution(r, density_percent=99),
        "sparse_pointwise": lambda r: convolution(r, density_percent=30, pointwise=True),
        "sparse_in_4_bits": lambda r: convolution(r, bits=4, density_percent=50),
        "sparse_coded_4": lambda r: convolution(r, bits=2, clusters=4, density_percent=50),
        "sparse_large": lambda r: large(r, density_percent=25, grouped=False),
        "average_pool": pooling,
        "max_pool": lambda r: pooling(r, "reds_max_pool"),
        "mean": mean,
        "lookup": lookup,
        "add": arithmetic,
        "subtract": lambda r: arithmetic(r, "reds_subtract"),
        "multiply": lambda r: arithmetic(r, "reds_multiply"),
        "copy": copy,
        "pad": padding,
    }
