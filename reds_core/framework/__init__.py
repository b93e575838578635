"""The boundary to the frameworks that hold, train and export models."""

from __future__ import annotations

from reds_core.framework.augmentation import Augmentation, Change, augmentations
from reds_core.framework.class_counts import ClassCounts, ModelFigures
from reds_core.framework.data import (
    SAMPLE_BYTES,
    SAMPLE_EXAMPLES,
    SMALL_BYTES,
    Arrays,
    Data,
    Stream,
    as_examples,
    batches,
    columns,
    each,
    each_batch,
    first_examples,
    joined,
    sampled,
)
from reds_core.framework.deployment import Deployment
from reds_core.framework.device import Device, Energy, ExitFigures, MemberFile, Profile
from reds_core.framework.device_counter import Counted, CountingConditions, DeviceCounter, Part
from reds_core.framework.epochs import EpochFigures, EpochKeeper, EpochState, digest_of
from reds_core.framework.exported import (
    ExportedFigures,
    ExportedModel,
    FileInput,
    FileInterface,
    FileOutput,
    Numbers,
    RunFile,
)
from reds_core.framework.fallback import Fallback, FallbackNumbers
from reds_core.framework.family import Family, member_kept
from reds_core.framework.features import noisy_features
from reds_core.framework.file_kinds import FLOAT32_BYTES, INT8_BYTES, FileKind, FileKinds
from reds_core.framework.finetuning import (
    EpochProgress,
    FinetuneSettings,
    MemberChoice,
    Precision,
    Schedule,
    Teacher,
)
from reds_core.framework.framework import ActivationStatistics, Framework, WeightArrays
from reds_core.framework.layer_plugin import LayerPlugin
from reds_core.framework.loaded_model import LoadedModel
from reds_core.framework.probe import LatencyProbe, Segmenter
from reds_core.framework.processor_energy import processor_energy
from reds_core.framework.projection import Projection, SmallerNetwork, parts_of_whole, projections
from reds_core.framework.realised import realised
from reds_core.framework.sample import BuiltSample, SampleModel
from reds_core.framework.sources import BatchSource, SourceStream
from reds_core.framework.target import ConversionCache, ExportSource, FullExport, Target
from reds_core.framework.task import FEATURE_SIMILARITY, Task, TaskKind
from reds_core.framework.timings import TimedFile, Timings, load_timings
from reds_core.framework.training import Training, TrainingObjects

__all__ = [
    "FEATURE_SIMILARITY",
    "FLOAT32_BYTES",
    "INT8_BYTES",
    "SAMPLE_BYTES",
    "SAMPLE_EXAMPLES",
    "SMALL_BYTES",
    "ActivationStatistics",
    "Arrays",
    "Augmentation",
    "BatchSource",
    "BuiltSample",
    "Change",
    "ClassCounts",
    "ConversionCache",
    "Counted",
    "CountingConditions",
    "Data",
    "Deployment",
    "Device",
    "DeviceCounter",
    "Energy",
    "EpochFigures",
    "EpochKeeper",
    "EpochProgress",
    "EpochState",
    "ExitFigures",
    "ExportSource",
    "ExportedFigures",
    "ExportedModel",
    "Fallback",
    "FallbackNumbers",
    "Family",
    "FileInput",
    "FileInterface",
    "FileKind",
    "FileKinds",
    "FileOutput",
    "FinetuneSettings",
    "Framework",
    "FullExport",
    "LatencyProbe",
    "LayerPlugin",
    "LoadedModel",
    "MemberChoice",
    "MemberFile",
    "ModelFigures",
    "Numbers",
    "Part",
    "Precision",
    "Profile",
    "Projection",
    "RunFile",
    "SampleModel",
    "Schedule",
    "Segmenter",
    "SmallerNetwork",
    "SourceStream",
    "Stream",
    "Target",
    "Task",
    "TaskKind",
    "Teacher",
    "TimedFile",
    "Timings",
    "Training",
    "TrainingObjects",
    "WeightArrays",
    "as_examples",
    "augmentations",
    "batches",
    "columns",
    "digest_of",
    "each",
    "each_batch",
    "first_examples",
    "joined",
    "load_timings",
    "member_kept",
    "noisy_features",
    "parts_of_whole",
    "processor_energy",
    "projections",
    "realised",
    "sampled",
]
