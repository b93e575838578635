"""What an audit finds, as plain records and as a file: the format `reds-audit/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reds_core.audit.statistics import Interval
from reds_core.system.files import write_text
from reds_core.system.records import LEFT_OUT, to_json

FORMAT = "reds-audit/1"
AUDIT_FILE = "audit.json"


@dataclass(frozen=True)
class ClassFigures:
    """How a population of networks does on one class. Figures are means over the networks.

    Attributes:
        recall: the share of the test examples of the class that are recognised, from 0 to 1; None without examples.
        false_positive_rate: the share of the examples of other classes that are taken for it, from 0 to 1; None without
            such examples.
        recall_interval: the 95 % interval of the recall: Wilson's for one network, Student's over several; None if
            several reach the same.
        false_positive_interval: the 95 % interval of the false-positive rate, likewise.
        change: the recall minus that of the uncompressed networks.
        excess: the change minus that of the accuracy on all examples: below 0 for a class that loses more than the
            average.
        p_value: the two-sided p-value of the test of the audit.
        p_adjusted: the p-value after the correction for the number of classes.
        is_hurt: whether the class loses more than the average and more than chance explains, which is that `change` and
            `excess` are below 0 and `p_adjusted` is below 0.05. None where there is no test.
    """

    recall: float | None
    false_positive_rate: float | None
    recall_interval: Interval | None = None
    false_positive_interval: Interval | None = None
    change: float | None = field(default=None, metadata={LEFT_OUT: True})
    excess: float | None = field(default=None, metadata={LEFT_OUT: True})
    p_value: float | None = field(default=None, metadata={LEFT_OUT: True})
    p_adjusted: float | None = field(default=None, metadata={LEFT_OUT: True})
    is_hurt: bool | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class ClassAudit:
    """One class before and after compression.

    Attributes:
        name: the name of the class, or its number.
        examples: the number of its test examples.
        before: figures of the uncompressed networks.
        after: figures of the compressed networks, by the name of the member.
    """

    name: str
    examples: int
    before: ClassFigures
    after: Mapping[str, ClassFigures]


@dataclass(frozen=True)
class GroupFigures:
    """How a population of networks does on one group of examples. Figures are means over the networks.

    Attributes:
        accuracy: the share of the test examples of the group that are recognised, from 0 to 1.
        interval: its 95 % interval: Wilson's for one network, Student's over several; None if several reach the same.
        change: the accuracy minus that of the uncompressed networks.
        excess: the change minus that of the accuracy on all examples.
        p_value: the two-sided p-value of the test of the audit.
        p_adjusted: the p-value after the correction for the number of groups.
        is_hurt: whether the group loses more than the average and more than chance explains, as of classes.
    """

    accuracy: float
    interval: Interval | None = None
    change: float | None = field(default=None, metadata={LEFT_OUT: True})
    excess: float | None = field(default=None, metadata={LEFT_OUT: True})
    p_value: float | None = field(default=None, metadata={LEFT_OUT: True})
    p_adjusted: float | None = field(default=None, metadata={LEFT_OUT: True})
    is_hurt: bool | None = field(default=None, metadata={LEFT_OUT: True})


@dataclass(frozen=True)
class GroupAudit:
    """One group of examples before and after compression.

    Attributes:
        name: the value that the group has in `group_test`.
        examples: the number of its test examples.
        before: figures of the uncompressed networks.
        after: figures of the compressed networks, by the name of the member.
    """

    name: str
    examples: int
    before: GroupFigures
    after: Mapping[str, GroupFigures]


@dataclass(frozen=True)
class Exemplar:
    """A test example on whose class compressed and uncompressed networks disagree (arXiv 1911.05248).

    Attributes:
        index: its place in the test data, from 0.
        flips: the number of compressed networks of the member that say another class than `modal_before`.
        modal_before: the class that most uncompressed networks say; of equally frequent ones the first.
        modal_after: the class that most compressed networks of the member say, which differs.
        member: the name of the member.
        label: its true class.
    """

    index: int
    flips: int
    modal_before: int
    modal_after: int
    member: str
    label: int


@dataclass(frozen=True)
class PopulationFigures:
    """How a population of networks does on all test examples. Figures are means over the networks.

    Attributes:
        accuracy: the share of the test examples that are recognised, from 0 to 1.
        accuracy_interval: its 95 % interval: Wilson's for one network, Student's over several; None if several reach
            the same.
        ece: the expected calibration error over 15 bins of confidence of equal width.
        confidence: the mean probability of the class that they say.
        margin: the mean log-odds of the true class, ln p / (1 - p).
    """

    accuracy: float
    accuracy_interval: Interval | None
    ece: float
    confidence: float
    margin: float


@dataclass(frozen=True)
class Flips:
    """How many test examples get another class by compression, as means over the networks of a member.

    Each network is compared with the input model that it was made from or, if that is not in the population, with the
    class that most uncompressed networks say.

    Attributes:
        changed: the number of examples with another class.
        lost: those that were recognised and no longer are.
        won: those that are recognised and were not.
    """

    changed: float
    lost: float
    won: float


@dataclass(frozen=True)
class ExemplarFigures:
    """The exemplars of a member, and how hard they are.

    Attributes:
        count: the number of exemplars.
        share: their share of the test examples, from 0 to 1.
        accuracy_before: the mean accuracy of the uncompressed networks on them; None without any.
        accuracy_after: that of the compressed networks of the member.
        accuracy_without: the mean accuracy of the compressed networks on all other test examples; None without any.
    """

    count: int
    share: float
    accuracy_before: float | None
    accuracy_after: float | None
    accuracy_without: float | None


@dataclass(frozen=True)
class Prediction:
    """How well a score tells the lost examples from those that stay recognised.

    Attributes:
        auc: the area under the ROC curve: the probability that a lost example has the higher score. 0.5 is chance.
        interval: its 95 % interval, by resampling the test examples.
    """

    auc: float
    interval: Interval


@dataclass(frozen=True)
class LossPrediction:
    """Whether the attribution of the removed channels predicts which examples a member loses.

    Lost examples are those that the input model recognises and the member does not. Figures are means over the networks
    of the member.

    Attributes:
        removed: the number of channels that are removed or merged.
        candidates: the number of examples that the input model recognises.
        lost: how many of them are lost.
        attribution: prediction by the sum of the attributions of the removed channels.
        baseline: prediction by the margin of the input model alone, the smallest first.
        both: prediction by the margin after the sum is added to it.
        at_equal_margin: prediction by the sum among examples of about equal margin, within tenths of the examples. It
            says what the attribution adds to the margin. None if no tenth has both lost examples and others.
        advantage: the AUC of the attribution minus that of the baseline.
        advantage_interval: the 95 % interval of this difference, by resampling the test examples.
        p_value: the share of random assignments of the sums to the examples that predict as well or better, in both
            directions.
    """

    removed: float
    candidates: float
    lost: float
    attribution: Prediction
    baseline: Prediction
    both: Prediction
    at_equal_margin: Prediction | None
    advantage: float
    advantage_interval: Interval
    p_value: float


@dataclass(frozen=True)
class MemberAudit:
    """One member over all run folders that hold it.

    Attributes:
        name: the name of the member.
        files: the model files of its networks, as paths relative to the folder of the audit where possible.
        figures: how the networks do on all test examples.
        flips: how many examples get another class.
        test: the test of changes of recall: "welch" for Welch's t-test over networks, or "mcnemar" for the exact test
            over examples if one of the populations is a single network.
        exemplars: its exemplars; None if there is no population to tell them by.
        prediction: whether channel attributions predict the lost examples; None if that was not measured.
    """

    name: str
    files: tuple[str, ...]
    figures: PopulationFigures
    flips: Flips
    test: str
    exemplars: ExemplarFigures | None = None
    prediction: LossPrediction | None = None


@dataclass(frozen=True)
class BeforeAudit:
    """The uncompressed networks.

    Attributes:
        source: "input model", "input models" or "seeds".
        files: their model files, as paths relative to the folder of the audit where possible.
        figures: how they do on all test examples.
    """

    source: str
    files: tuple[str, ...]
    figures: PopulationFigures


@dataclass(frozen=True)
class Overlap:
    """How alike two sets of exemplars are.

    Attributes:
        kind: what the sets belong to: "members", "methods" or "networks".
        member: the member within which methods or networks are compared; None for members.
        first: the name of what has one set.
        second: that of what has the other. For networks, both are the name of their method, and the figure is the mean
            over all pairs of networks.
        jaccard: the number of examples in both sets as a share of those in any; None if both are empty.
    """

    kind: str
    member: str | None
    first: str
    second: str
    jaccard: float | None


@dataclass(frozen=True)
class MethodRecord:
    """Run folders of one method.

    Attributes:
        name: the settings in which its runs differ from the others, as text.
        folders: the folders of its runs.
    """

    name: str
    folders: tuple[str, ...]


@dataclass(frozen=True)
class AttributionRecord:
    """How channels were attributed to margins (COAR, arXiv 2404.11534).

    Attributes:
        ablations: the number of random ablations of each input model.
        fraction: the share of all channels that each of them sets to zero.
        examples: the number of test examples whose margins were measured.
        is_repaired: whether the batch-norm statistics of each ablated network were measured anew.
        channels: the number of channels of the input model.
        held_out: the number of ablations that the regression did not see.
        correlation: the mean over the examples of the correlation of predicted and measured margins on these; None if
            no margin varies.
    """

    ablations: int
    fraction: float
    examples: int
    is_repaired: bool
    channels: int
    held_out: int
    correlation: float | None


@dataclass(frozen=True)
class AuditRecord:
    """Whom compression hurts: what an audit of finished runs finds.

    Attributes:
        folders: the run folders.
        data: the name or path of the data.
        examples: the number of test examples whose label is a class.
        before: the uncompressed networks.
        members: the members over all folders, in the order of the first plan.
        classes: the classes.
        exemplars: test examples on whose class the populations disagree, by member and index.
        groups: the groups of examples that the data names.
        methods: the folders by method; one if all runs have the same settings.
        overlaps: how alike sets of exemplars are.
        attribution: how channels were attributed to margins; None if they were not.
        correction: the correction for the number of classes, "benjamini-hochberg".
        notes: what could not be measured, and why; and members that are missing in a folder.
        versions: the versions of the software that measured.
        seed: the seed of ablations and of resampling.
        data_sha256: the digest of the data.
    """

    folders: tuple[str, ...]
    data: str
    examples: int
    before: BeforeAudit
    members: tuple[MemberAudit, ...]
    classes: tuple[ClassAudit, ...]
    exemplars: tuple[Exemplar, ...]
    groups: tuple[GroupAudit, ...]
    methods: tuple[MethodRecord, ...]
    overlaps: tuple[Overlap, ...]
    attribution: AttributionRecord | None
    notes: tuple[str, ...]
    versions: Mapping[str, str]
    seed: int = 0
    data_sha256: str | None = None
    correction: str = "benjamini-hochberg"
    format: str = FORMAT


def save_audit(audit: AuditRecord, folder: Path) -> None:
    """Write FOLDER/audit.json atomically.

    Raises:
        InputError: If the file cannot be written.
    """
    write_text(folder / AUDIT_FILE, to_json(audit))
