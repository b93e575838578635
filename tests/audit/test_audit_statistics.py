"""The statistics of audits, against formulas written out by hand and on prediction matrices small enough to count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.arrays import IntArray
from reds_core.audit.answers import Answers, Population, answers_of, true_classes
from reds_core.audit.calibration import calibration_error
from reds_core.audit.classes import audit_classes, audit_groups, choose_test
from reds_core.audit.exemplars import exemplar_figures, exemplars_of, flips_of, jaccard, modal_labels, overlaps_of
from reds_core.audit.statistics import adjusted, mcnemar, mean_interval, welch, wilson_interval
from reds_core.errors import InputError


def population(labels: list[list[int]] | IntArray) -> Population:
    """Networks that say these classes, with confidence and margins that do not matter."""
    rows = np.array(labels, np.int64)
    return Population(rows, np.full(rows.shape, 0.5), np.zeros(rows.shape))


# --- intervals and tests ---------------------------------------------------------------------------------------------


def test_wilsons_interval_by_its_formula() -> None:
    count, total, z = 8, 10, 1.959963984540054
    middle = (count / total + z**2 / (2 * total)) / (1 + z**2 / total)
    reach = z / (1 + z**2 / total) * math.sqrt(count / total * (1 - count / total) / total + z**2 / (4 * total**2))
    assert wilson_interval(count, total) == pytest.approx((middle - reach, middle + reach))
    assert wilson_interval(0, 0) is None


def test_students_interval_by_its_formula() -> None:
    values = np.array([0.7, 0.8, 0.75])
    reach = 4.302652729696142 * 0.05 / math.sqrt(3)  # the quantile of two degrees of freedom, deviation 0.05
    assert mean_interval(values) == pytest.approx((0.75 - reach, 0.75 + reach))
    assert mean_interval(values, 0.7, 0.76) == (0.7, 0.76)
    assert mean_interval(values[:1]) is None
    assert mean_interval(np.full(3, 0.1 + 0.2)) is None, "nothing says how much the values vary"


def test_welchs_test_by_its_formula() -> None:
    first, second = np.array([1.0, 2.0, 4.0]), np.array([5.0, 9.0])
    parts = first.var(ddof=1) / 3, second.var(ddof=1) / 2
    t = (first.mean() - second.mean()) / math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 1)
    # the distribution of Student by its density, integrated over both tails
    x = np.linspace(abs(t), 2000, 2_000_001)
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    density = scale * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    tails = 2 * float(((density[1:] + density[:-1]) / 2 * np.diff(x)).sum())
    assert welch(first, second) == pytest.approx(tails, abs=5e-4)
    assert welch(first, second[:1]) is None
    assert welch(np.ones(3), np.zeros(2)) is None, "nothing says how much the values vary"


def test_mcnemars_test_by_the_binomial_distribution() -> None:
    lost, won = 7, 1
    tail = sum(math.comb(8, k) for k in (0, 1)) / 2**8
    assert mcnemar([lost], [won]) == mcnemar([won], [lost]) == pytest.approx(2 * tail)
    assert mcnemar([0], [0]) == mcnemar([4], [4]) == 1.0
    assert mcnemar([7, 7, 9], [1, 1, 0]) == pytest.approx(4 * tail), "twice the median of several pairs"
    assert mcnemar([7, 1], [1, 6]) > 0.5, "pairs that contradict each other show nothing"


def test_benjamini_and_hochberg_by_hand() -> None:
    found = adjusted([0.01, None, 0.04, 0.03, 0.2])
    assert found == [pytest.approx(0.04), None, pytest.approx(0.16 / 3), pytest.approx(0.16 / 3), pytest.approx(0.2)]
    assert adjusted([None, None]) == [None, None]


# --- answers ---------------------------------------------------------------------------------------------------------


def test_logits_and_their_probabilities_give_the_same_answers() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 3
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.arange(20) % 4
    first, second = answers_of(logits, truth), answers_of(likely, truth)
    own = likely[np.arange(20), truth]
    np.testing.assert_allclose(first.margins, np.log(own / (1 - own)), rtol=1e-9)
    np.testing.assert_allclose(second.margins, first.margins, rtol=1e-9)
    np.testing.assert_allclose(first.confidence, likely.max(axis=1), rtol=1e-9)
    assert first.labels.tolist() == likely.argmax(axis=1).tolist()


def test_margins_are_exact_where_one_class_has_all_of_the_probability() -> None:
    found = answers_of(np.array([[80.0, 0.0, 0.0]] * 2), np.array([0, 1]))
    assert found.margins.tolist() == pytest.approx([80 - math.log(2), -80.0])
    sure = answers_of(np.array([[1.0, 0.0, 0.0]] * 2, np.float32), np.array([0, 1]))
    assert np.isfinite(sure.margins).all()
    assert sure.margins[0] > 20 > -20 > sure.margins[1]


def test_a_single_output_is_that_of_class_1() -> None:
    truth = np.array([1, 0])
    for outputs in (np.array([[0.8], [0.4]]), np.log(np.array([[4.0], [2 / 3]]))):
        found = answers_of(outputs, truth)
        assert found.labels.tolist() == [1, 0]
        assert found.confidence.tolist() == pytest.approx([0.8, 0.6])
        assert found.margins.tolist() == pytest.approx([math.log(4), math.log(1.5)])


def test_labels_in_every_form() -> None:
    assert true_classes(np.array([2, -1, 0, 9]), 3).tolist() == [2, -1, 0, -1]
    assert true_classes(np.array([[2], [0]]), 3).tolist() == [2, 0]
    assert true_classes(np.eye(3)[[1, 2]], 3).tolist() == [1, 2]
    assert true_classes(np.array([1.0, 0.0]), 2).tolist() == [1, 0]
    for wrong in (np.array([0.5, 1.0]), np.zeros((2, 4))):
        with pytest.raises(InputError, match="not classes"):
            true_classes(wrong, 3)


def test_the_calibration_error_by_hand() -> None:
    confidence = np.array([0.99, 0.97, 0.52, 0.5])  # two bins of fifteenths: (14/15, 1] and (7/15, 8/15]
    right = np.array([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx((abs(1.96 - 1) + abs(1.02 - 2)) / 4)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0


# --- classes and groups ----------------------------------------------------------------------------------------------

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])


def test_recall_and_false_positives_by_counting() -> None:
    before = population([[0, 0, 0, 0, 1, 1, 2, 2]])
    after = population([[0, 0, 1, 1, 1, 1, 2, 0]])
    zero, one, two, none = audit_classes(before, {"50": after}, TRUTH, ("a", "b", "c", "d"))
    own = zero.after["50"]
    assert (own.recall, own.false_positive_rate, own.change) == (0.5, 0.25, -0.5)
    assert own.excess == pytest.approx(-0.5 + 3 / 8)
    assert own.p_value == mcnemar([2], [0])
    assert own.p_adjusted == pytest.approx(1.0)
    assert own.recall_interval == wilson_interval(2, 4)
    assert own.is_hurt is False
    assert (one.after["50"].recall, one.after["50"].false_positive_rate) == (1.0, 2 / 6)
    assert (two.examples, two.after["50"].change) == (2, -0.5)
    assert (none.examples, none.before.recall, none.before.false_positive_rate) == (0, None, 0.0)
    assert none.after["50"].change is None


def test_a_class_that_always_loses_is_hurt_and_one_that_loses_as_the_average_is_not() -> None:
    random = np.random.default_rng(1)
    truth = np.arange(600) % 3

    def networks(accuracies: tuple[float, float, float]) -> Population:
        rows = [np.where(random.random(600) < np.array(accuracies)[truth], truth, (truth + 1) % 3) for _ in range(5)]
        return population(np.array(rows))

    found = audit_classes(networks((0.9, 0.9, 0.9)), {"m": networks((0.3, 0.85, 0.85))}, truth, ("a", "b", "c"))
    assert [each.after["m"].is_hurt for each in found] == [True, False, False]
    assert found[1].after["m"].change is not None
    assert found[1].after["m"].change < 0 < (found[1].after["m"].excess or 0)
    alike = audit_classes(networks((0.9, 0.9, 0.9)), {"m": networks((0.7, 0.7, 0.7))}, truth, ("a", "b", "c"))
    assert not any(each.after["m"].is_hurt for each in alike), "all lose, and none more than the others"


def test_one_network_against_several_of_its_kind_hurts_no_class() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(10), 200)
    names = [str(number) for number in range(10)]

    def networks(count: int) -> Population:
        wrong = random.integers(0, 10, (count, len(truth)))
        return population(np.where(random.random(wrong.shape) < 0.8, truth, wrong))

    hurt = []
    for count in (1, 2, 5) * 10:
        one, several = networks(1), networks(count)
        for before, after in ((one, several), (several, one)):
            hurt += [each.after["m"].is_hurt for each in audit_classes(before, {"m": after}, truth, names)]
    assert np.mean(hurt) < 0.01, "a majority of several networks would be better than the single one"


def test_groups_are_tested_as_classes_are() -> None:
    before, after = population([TRUTH]), population([[0, 0, 0, 0, 0, 0, 2, 2]])
    groups = ["x", "x", "y", "y", "y", "x", "x", "x"]
    first, second = audit_groups(before, {"50": after}, TRUTH, groups)
    assert (first.name, first.examples, second.name, second.examples) == ("x", 5, "y", 3)
    assert (first.after["50"].accuracy, second.after["50"].accuracy) == (4 / 5, pytest.approx(2 / 3))
    assert second.after["50"].change == pytest.approx(-1 / 3)


def test_the_test_follows_from_the_populations() -> None:
    one, two = population([TRUTH]), population([TRUTH, TRUTH])
    assert [choose_test(a, b) for a, b in ((one, one), (one, two), (two, one), (two, two))] == [
        *("mcnemar", "mcnemar", "mcnemar", "welch")
    ]


# --- exemplars -------------------------------------------------------------------------------------------------------


def test_exemplars_on_a_matrix_that_can_be_counted() -> None:
    before = population([[0, 1, 2, 2], [0, 1, 2, 1], [0, 2, 2, 0]])
    after = population([[0, 2, 1, 0], [1, 2, 2, 0], [0, 1, 1, 1]])
    modal, truth = modal_labels(before), np.array([0, 1, 2, 0])
    assert modal.tolist() == [0, 1, 2, 0], "of equally frequent classes that networks are equally sure of, the first"
    sure = Population(
        np.array([[0, 2, 1], [3, 1, 1], [1, 0, 2]]),
        np.array([[0.5, 0.9, 0.4], [0.6, 0.9, 0.4], [0.7, 0.95, 1]]),
        before.margins,
    )
    assert modal_labels(sure).tolist() == [1, 0, 1], "of equally frequent classes, the one that networks are surer of"
    found = exemplars_of(modal, after, truth, "25", np.array([3, 5, 8, 9]))
    assert [(e.index, e.flips, e.modal_before, e.modal_after, e.member, e.label) for e in found] == [
        (5, 2, 1, 2, "25", 1),
        (8, 2, 2, 1, "25", 2),
    ]
    figures = exemplar_figures(np.array([False, True, True, False]), before, after, truth)
    assert (figures.count, figures.share, figures.accuracy_before) == (2, 0.5, pytest.approx(5 / 6))
    assert (figures.accuracy_after, figures.accuracy_without) == (pytest.approx(2 / 6), pytest.approx(4 / 6))
    flips = flips_of(np.tile(modal, (3, 1)), after, truth)
    assert (flips.changed, flips.lost, flips.won) == pytest.approx((6 / 3, 6 / 3, 0))


def test_overlaps_by_counting() -> None:
    a, b = np.array([True, True, False]), np.array([False, True, True])
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(np.zeros(3, bool), np.zeros(3, bool)) is None
    modal = np.array([0, 0, 0])
    after = {"25": population([[1, 1, 0], [1, 0, 0]]), "50": population([[0, 1, 0], [0, 0, 1]])}
    methods = {name: {"x": [0], "y": [1]} for name in after}
    found = {(o.kind, o.member, o.first, o.second): o.jaccard for o in overlaps_of(modal, after, methods)}
    assert found == {
        ("members", None, "25", "50"): 0.0,
        ("methods", "25", "x", "y"): 0.5,
        ("methods", "50", "x", "y"): 0.0,
    }
    together = overlaps_of(modal, {"25": after["25"]}, {"25": {"all": [0, 1]}})
    assert [(o.kind, o.first, o.jaccard) for o in together] == [("networks", "all", 0.5)]


matrices = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 2), min_size=8, max_size=8), min_size=k, max_size=k)
)


@settings(max_examples=40, deadline=None)
@given(matrices, matrices, st.randoms(use_true_random=False))
def test_the_order_of_networks_and_of_examples_changes_nothing(
    before: list[list[int]], after: list[list[int]], random: object
) -> None:
    networks = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    first, second = population(before), population(after)
    order = networks.permutation(8)
    other = [population(p.labels[networks.permutation(len(p))][:, order]) for p in (first, second)]
    names = ("a", "b", "c")
    one = audit_classes(first, {"m": second}, TRUTH, names)
    two = audit_classes(other[0], {"m": other[1]}, TRUTH[order], names)
    for left, right in zip(one, two, strict=True):
        for a, b in ((left.before, right.before), (left.after["m"], right.after["m"])):
            assert (a.recall, a.false_positive_rate, a.p_value) == (
                pytest.approx(b.recall), pytest.approx(b.false_positive_rate), pytest.approx(b.p_value)
            )  # fmt: skip
    found = exemplars_of(modal_labels(first), second, TRUTH, "m", np.arange(8))
    again = exemplars_of(modal_labels(other[0]), other[1], TRUTH[order], "m", order)
    assert sorted(found, key=lambda e: e.index) == sorted(again, key=lambda e: e.index)


@settings(max_examples=40, deadline=None)
@given(matrices)
def test_a_population_against_itself_has_no_exemplar_and_hurts_nobody(labels: list[list[int]]) -> None:
    own = population(labels)
    assert exemplars_of(modal_labels(own), own, TRUTH, "m", np.arange(8)) == ()
    for each in audit_classes(own, {"m": own}, TRUTH, ("a", "b", "c")):
        assert each.after["m"].change == 0
        assert each.after["m"].is_hurt in (None, False)
        assert each.after["m"].p_value in (None, pytest.approx(1.0))


def test_populations_are_rows_of_answers() -> None:
    one = Answers(np.array([1, 0]), np.array([0.9, 0.6]), np.array([2.0, 0.4]))
    two = Answers(np.array([1, 1]), np.array([0.8, 0.7]), np.array([1.0, -0.4]))
    both = Population.of([one, two])
    assert len(both) == 2
    assert both.taken([1]).margins.tolist() == [[1.0, -0.4]]
