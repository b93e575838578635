"""Factors of kernels: they are the best of their rank, and compute what the projection computes."""

from __future__ import annotations

import numpy as np
import pytest
from reds_low_rank.decomposition import positive_definite, split, tucker
from reds_low_rank.low_rank import SCHEMES
from reds_low_rank.schemes import Shape

from reds_core.arrays import FloatArray
from reds_core.transforms import composed

SHAPES = ((20, 9), (9, 20), (1, 1, 8, 30), (3, 3, 8, 12), (5, 6, 7), (1, 3, 4, 9), (3, 2, 3, 4, 5))


def drawn(shape: tuple[int, ...], seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape)


def moments_of(channels: int) -> FloatArray:
    """Second moments of inputs that are correlated and of different sizes, one of which is always zero."""
    x = drawn((200, channels), 1) @ drawn((channels, channels), 2)
    x[:, 0] = 0.0
    return positive_definite(x.T @ x / len(x))


def error(kernel: FloatArray, other: FloatArray, moments: FloatArray) -> float:
    """The mean squared error of the outputs, if inputs at different positions are uncorrelated."""
    flat = (kernel - other).reshape(-1, *kernel.shape[-2:])
    return float(np.einsum("kio,ij,kjo->", flat, moments, flat))


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_the_split_of_a_matrix_is_its_truncated_singular_value_decomposition(shape: tuple[int, int]) -> None:
    matrix = drawn(shape)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    left, right = split(matrix, 5)
    np.testing.assert_allclose(left @ right, (u[:, :5] * s[:5]) @ v[:5], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=1))


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_the_split_with_moments_has_the_least_error_of_the_outputs(shape: tuple[int, int]) -> None:
    """W = S^-1 trunc(S W) is the best matrix of its rank, where S is a square root of the moments."""
    matrix, moments = drawn(shape), moments_of(shape[0])
    root = np.linalg.cholesky(moments).T
    u, s, v = np.linalg.svd(root @ matrix, full_matrices=False)
    best = np.linalg.solve(root, (u[:, :4] * s[:4]) @ v[:4])
    left, right = split(matrix, 4, moments)
    assert error(matrix, left @ right, moments) == pytest.approx(error(matrix, best, moments), rel=1e-8)
    plain = np.matmul(*split(matrix, 4))
    assert error(matrix, left @ right, moments) < 0.9 * error(matrix, plain, moments)


def test_a_tucker_decomposition_is_the_projection_onto_the_leading_channels() -> None:
    kernel = drawn((9, 8, 12))
    first, core, last = tucker(kernel, (5, 7))
    after = np.linalg.svd(kernel.reshape(-1, 12))[2][:7]
    reduced = kernel @ after.T
    before = np.linalg.svd(reduced.transpose(1, 0, 2).reshape(8, -1))[0][:, :5]
    expected = np.einsum("ir,jr,kjs,so->kio", before, before, reduced, after)
    np.testing.assert_allclose(np.einsum("ir,krs,so->kio", first, core, last), expected, atol=1e-12)


def test_moments_lower_the_error_of_a_tucker_decomposition() -> None:
    kernel, moments = drawn((9, 8, 12)), moments_of(8)
    plain, weighted = (np.einsum("ir,krs,so->kio", *tucker(kernel, (4, 6), given)) for given in (None, moments))
    assert error(kernel, weighted, moments) < 0.9 * error(kernel, plain, moments)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_factors_are_those_of_the_chain_and_compute_the_projection(scheme: str, shape: tuple[int, ...]) -> None:
    kernel, how, of = drawn(shape), SCHEMES[scheme], Shape.of(shape)
    for moments in (None, moments_of(shape[-2])):
        for percent in (20, 60, 95):
            ranks = how.ranks(of, percent)
            factors = how.factors(kernel, ranks, moments)
            lengths = [f.spatial for f in how.chain(of.spatial, ranks)]
            assert [factor.shape[:-2] for factor in factors] == lengths
            assert sum(factor.size for factor in factors) == how.size(of, ranks)
            projected = how.projected(kernel, ranks, moments)
            np.testing.assert_allclose(composed(factors), projected, atol=1e-12)
            np.testing.assert_allclose(how.projected(projected, ranks, moments), projected, atol=1e-11)
            np.testing.assert_allclose(how.projected(projected, ranks, None), projected, atol=1e-11)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_factors_depend_on_their_product_alone(scheme: str, shape: tuple[int, ...]) -> None:
    """Whatever moments it is decomposed with, and although a model holds the product in single precision."""
    kernel, how, of = drawn(shape), SCHEMES[scheme], Shape.of(shape)
    moments = [None, moments_of(shape[-2]), positive_definite(np.diag(np.arange(shape[-2], dtype=np.float64)))]
    for percent in (20, 60, 95):
        ranks = how.ranks(of, percent)
        for given in moments:
            factors = how.factors(kernel, ranks, given)
            held = np.asarray(composed(factors), np.float32).astype(np.float64)
            for other in moments:
                for again, factor in zip(how.factors(held, ranks, other), factors, strict=True):
                    np.testing.assert_allclose(again, factor, atol=2e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_break_even_rank_has_as_many_weights_as_the_kernel(scheme: str, shape: tuple[int, ...]) -> None:
    large = (*shape[:-2], 40 * shape[-2], 40 * shape[-1])
    of = Shape.of(large)
    assert SCHEMES[scheme].size(of, SCHEMES[scheme].ranks(of, 100)) == pytest.approx(of.size, rel=0.02)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_narrower_kernels_keep_the_rank_with_factors_of_zeros(scheme: str) -> None:
    kernel, how = drawn((3, 3, 2, 3)), SCHEMES[scheme]
    ranks = how.ranks(Shape((3, 3), 16, 24), 75)
    factors = how.factors(kernel, ranks, None)
    assert factors[-1].shape[-2:] == (ranks[-1], 3)
    np.testing.assert_allclose(composed(factors), kernel, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_kernel_of_zeros_stays_zero(scheme: str) -> None:
    kernel, how = np.zeros((3, 3, 8, 8)), SCHEMES[scheme]
    for moments in (None, positive_definite(np.zeros((8, 8)))):
        assert not how.projected(kernel, how.ranks(Shape.of(kernel.shape), 50), moments).any()
