"""A family of nested networks as one Keras model, which `fit` trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.framework import EpochFigures, Family, MemberChoice, each
from reds_core.network import Network, WeightKind
from reds_tensorflow.dropping import dropout_times
from reds_tensorflow.epoch_state import assign_plain, plain_arrays
from reds_tensorflow.extraction import variables
from reds_tensorflow.family import Student, projection_arrays, shared_variable
from reds_tensorflow.fused import norms_fused
from reds_tensorflow.lesson import Lesson, at, each_as_float32, first, share_of_batch
from reds_tensorflow.network_figures import NetworkFigures, mean_of, prefixes
from reds_tensorflow.precision import computing_in
from reds_tensorflow.replacing import replaced
from reds_tensorflow.scopes import scopes_named_plainly
from reds_tensorflow.spectral import kernels_left_whole
from reds_tensorflow.statistics import BatchNormStatistics
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.strided import strides_taken_first
from reds_tensorflow.task import Objective, inputs_for, outputs_in_order

EPOCH_STATISTICS_EXAMPLES = 512
"""Maximum number of training examples for the statistics of batch norms that are measured before an evaluation."""


class FamilyModel(keras.Model):  # type: ignore[misc]
    """All networks of a family as one model, whose weights are those of the full network.

    Every network computes with projections of slices of the shared weights. A training step lowers the sum of their
    losses, weighted by the normalised square root of the number of parameters (REDS, arXiv 2311.13349). As a function,
    and when saved, the model is the full network. `compile` takes the optimizer; the loss and metrics are the task's.

    Attributes:
        weights_by_index: the shared variables by index in `Network.weights`.
    """

    def __init__(
        self,
        family: Family[Any],
        network: Network,
        students: tuple[Student, ...],
        aim: Objective,
        step: StepSettings,
        examples: Any,
    ) -> None:
        """Create the model, with the weights of the family.

        Args:
            family: the networks.
            network: the description of `family.full`.
            students: the networks with the full network last.
            aim: loss and metrics.
            step: how a step computes.
            examples: examples on which the batch-norm statistics are measured, as `BatchNormStatistics` takes them.
        """
        super().__init__(name=f"{family.full.name}_family", dtype="float32")
        full = variables(family.full, network)
        self.weights_by_index = {cut.weight: shared_variable(full[cut.weight]) for cut in students[-1].cuts}
        # Lists of variables are saved with the weights; the models of the students must not be, so they are hidden.
        self._states = [state for student in students for state in student.own_variables]
        self._turn = keras.Variable(0, trainable=False, dtype="int64", name="turn", aggregation="only_first_replica")
        self._random_states = [] if step.augmenter is None else list(step.augmenter.variables)
        statistics = self._statistics(students, examples, is_narrowed=family.full_settings is not None)
        anchored = self.weights_by_index if step.anchor else {}
        starts = {i: tf.constant(np.asarray(variable)) for i, variable in anchored.items()}
        self._hidden = _Hidden(students, aim, step, network, examples, statistics, starts)
        self._figures = [
            NetworkFigures(name, aim.of(student.outputs))
            for name, student in zip(prefixes(len(students)), students, strict=True)
        ]
        self._step_loss = keras.metrics.Mean(name="loss")
        self._is_evaluating = False
        self.built = True

    # --- as a Keras model -----------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the outputs of the full network at inference."""
        full = self._students[-1].model
        outputs = self._at_inference(self._students[-1], each_as_float32(inputs))
        return keras.tree.pack_sequence_as(full.output, list(outputs)) if len(outputs) > 1 else outputs[0]

    @property
    def metrics(self) -> list[Any]:
        return [self._step_loss, *(metric for figures in self._figures for metric in figures.metrics)]

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the results that the steps of an epoch or of an evaluation logged, over all devices.

        Keras averages the logs of devices, which is not exact if their parts of a batch differ in size. In a training
        step the metrics of the members are not updated.
        """
        figures = self._figures if self._is_evaluating else self._figures[-1:]
        results = {"loss": self._step_loss.result()}
        for network in figures:
            results |= network.results()
        return results

    @property
    def figure_names(self) -> list[str]:
        """Names of the full network's metrics in logs."""
        return self._figures[-1].names

    def epoch_figures(self, epoch: int, logs: Mapping[str, Any]) -> tuple[EpochFigures, ...]:
        """Return what logs say of each network after an epoch, the full network last.

        Args:
            epoch: the index of the epoch.
            logs: the logs of the epoch, with those of held-back data if there is any.
        """
        rate = float(np.asarray(self.optimizer.learning_rate))
        found = []
        for place, network in enumerate(self._figures):
            is_full = place == len(self._figures) - 1
            metric, val_metric = (mean_of(logs, [before + n for n in network.names]) for before in ("", "val_"))
            loss, val_loss = (mean_of(logs, [name]) if is_full else None for name in ("loss", "val_loss"))
            member = None if is_full else place
            found.append(EpochFigures(epoch, member, loss, metric, val_loss, val_metric, rate))
        return tuple(found)

    def save(self, filepath: Any, overwrite: bool = True, **settings: Any) -> None:
        """Save the full network with its current weights as a plain Keras model."""
        student = self._students[-1]
        kept = student.model.get_weights()
        try:
            student.write(self.weights_by_index, self._hidden.network)
            student.model.save(filepath, overwrite=overwrite, **settings)
        finally:
            student.model.set_weights(kept)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Do nothing, since the model is built. Keras would add up the parts of a batch, which may differ in size."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Train on one batch of (x, y, weights), where y is a pair of labels and soft targets if these are given."""
        x, given, weights = keras.utils.unpack_x_y_sample_weight(data)
        step = self._hidden.step
        labels, soft_targets = given if step.has_soft_targets else (given, None)
        with scopes_named_plainly():
            x = each_as_float32(x)
            if step.augmenter is not None:
                x = step.augmenter(x)
            if step.relabel is not None:
                labels = step.relabel(x)
            if step.distillation is not None and soft_targets is None:
                soft_targets = step.distillation.outputs(x)
            lesson = Lesson(x, labels, weights, soft_targets, share_of_batch(x))
            loss, outputs, gradients, states = self._learn(lesson)
        self.optimizer.apply(gradients, self.trainable_variables)
        for state, new in zip(self._states, states, strict=True):
            state.assign(new)
        self._turn.assign_add(1)
        self._step_loss.update_state(loss, sample_weight=tf.shape(first(x))[0])
        return {"loss": self._step_loss.result(), **self._figures[-1].updated(labels, outputs, weights)}

    def evaluate(self, *data: Any, **settings: Any) -> Any:
        """Evaluate all networks, after their batch-norm statistics are measured on some training examples."""
        with self.averaged(), replaced((self, "_is_evaluating", True)):
            self.measure(EPOCH_STATISTICS_EXAMPLES)
            return super().evaluate(*data, **settings)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure the loss and the metric of every network on one batch, without distillation."""
        x, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        with scopes_named_plainly():
            x = each_as_float32(x)
            outputs = [self._at_inference(student, x) for student in self._students]
        logs: dict[str, Any] = {}
        total = tf.constant(0.0)
        for student, figures, found in zip(self._students, self._figures, outputs, strict=True):
            own, aim = at(labels, student.outputs), self._hidden.aim.of(student.outputs)
            total += student.share * tf.cast(aim.loss(own, found, weights), tf.float32)
            logs |= figures.updated(own, found, weights)
        self._step_loss.update_state(total, sample_weight=tf.shape(first(x))[0])
        return {"loss": self._step_loss.result(), **logs}

    # --- a training step ------------------------------------------------------------------------------------------

    def _learn(self, lesson: Lesson) -> tuple[Any, Any, list[Any], list[Any]]:
        """Return the loss, the outputs of the full network, gradients by shared weights, and new states of a step."""
        members, step = self._students[:-1], self._hidden.step
        count = step.members_per_step
        if count is None or count >= len(members):
            return self._learn_together(lesson, members, {})
        is_sandwich = step.member_choice is MemberChoice.SANDWICH
        always, others = (members[:1], members[1:]) if is_sandwich else ((), members)
        count -= len(always)
        # The losses of those that train count more, so that each counts as much as before on average.
        factors = dict.fromkeys(map(id, others), len(others) / count)
        # Random choices are of neighbours in a circle, so that there are few branches, of which each is a graph.
        start, stride = (self._random_index(len(others)), 1) if is_sandwich else (self._turn.value, count)
        rounds = [[others[(place * stride + i) % len(others)] for i in range(count)] for place in range(len(others))]
        branches = [partial(self._learn_together, lesson, (*always, *few), factors) for few in rounds]
        learned: tuple[Any, Any, list[Any], list[Any]] = tf.switch_case(
            tf.cast(start % len(others), tf.int32), branches
        )
        return learned

    def _progress(self) -> Any:
        """Return the share of the steps of the training that are done, from which a resumed training continues."""
        return tf.cast(self._turn.value, tf.float32) / float(max(self._hidden.step.steps, 1))

    def _random_index(self, count: int) -> Any:
        """Return a random number below `count`, which only depends on the seed and on the number of steps so far."""
        seed = tf.stack([tf.constant(self._hidden.step.seed % 2**63, tf.int64), self._turn.value])
        return tf.random.stateless_uniform((), seed, maxval=count, dtype=tf.int64)

    def _learn_together(
        self, lesson: Lesson, members: Sequence[Student], factors: Mapping[int, float]
    ) -> tuple[Any, Any, list[Any], list[Any]]:
        """Do `_learn` for the full network and some members. factors: how often losses count, once by default."""
        step, full_student = self._hidden.step, self._students[-1]
        models = [student.model for student in self._students]
        new_states: dict[int, Any] = {}
        with (
            strides_taken_first(*models),
            kernels_left_whole(*models),
            norms_fused(*models),
            dropout_times(step.dropout, *models),
            computing_in(step.precision, *models),
            tf.GradientTape(watch_accessed_variables=False) as tape,
        ):
            # Tensors are watched instead of variables, whose gradients would be sparse where they are gathered from.
            full = {i: tf.convert_to_tensor(variable.value) for i, variable in self.weights_by_index.items()}
            tape.watch(list(full.values()))
            soft_targets, total, full_outputs = lesson.soft_targets, tf.constant(0.0), None
            for student in (full_student, *members):  # the full network is first, since it may teach the others
                with student.rounding(lesson.x, moving=True) as (x, ranges):
                    outputs, after, penalties = student.model.stateless_call(
                        student.weights(full, self._progress()),
                        [state.value for state in student.states],
                        inputs_for(student.model, x),
                        training=True,
                        return_losses=True,
                    )
                outputs = outputs_in_order(student.model, outputs)
                loss = self._loss(lesson, outputs, soft_targets, student)
                share = student.share * factors.get(id(student), 1.0)
                total += share * tf.add_n([loss, *(tf.cast(penalty, tf.float32) for penalty in penalties)])
                after = [*after, *([] if ranges is None else [ranges.after()])]
                new_states |= {id(state): new for state, new in zip(student.own_variables, after, strict=True)}
                if full_outputs is None:
                    full_outputs = outputs
                    if soft_targets is None:
                        soft_targets = tf.nest.map_structure(tf.stop_gradient, self._targets(outputs))
            if step.anchor:
                distances = [tf.nn.l2_loss(full[i] - start) for i, start in self._hidden.starts.items()]
                total += step.anchor * tf.add_n([tf.cast(distance, tf.float32) for distance in distances])
            # Gradients of replicas are summed, so each replica has its part of the mean over the whole batch.
            scaled = self.optimizer.scale_loss(total * lesson.share)
        gradients = tape.gradient(scaled, list(full.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO)
        states = [new_states.get(id(state), state.value) for state in self._states]
        return (
            total,
            tf.nest.map_structure(lambda tensor: tf.cast(tensor, tf.float32), full_outputs),
            [tf.convert_to_tensor(gradient) for gradient in gradients],
            [tf.convert_to_tensor(state) for state in states],
        )

    def _loss(self, lesson: Lesson, outputs: Any, soft_targets: Any, student: Student) -> Any:
        """Return the loss of one network: that of the labels, blended with the soft loss if there is a teacher."""
        distillation, labels = self._hidden.step.distillation, at(lesson.labels, student.outputs)
        if distillation is not None and soft_targets is None:
            soft_targets = distillation.own_targets(outputs)
        elif soft_targets is not None:
            soft_targets = at(soft_targets, student.outputs)
        if distillation is None or soft_targets is None:
            aim = self._hidden.aim.of(student.outputs)
            return tf.cast(aim.loss(labels, outputs, lesson.weights), tf.float32)
        return distillation.of(student.outputs).loss(labels, soft_targets, outputs, lesson.weights)

    def _targets(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the soft targets that the outputs of the full network are for the members."""
        distillation = self._hidden.step.distillation
        return outputs if distillation is None else distillation.targets(outputs)

    # --- between steps --------------------------------------------------------------------------------------------

    @property
    def _students(self) -> tuple[Student, ...]:
        """The networks with the full network last."""
        return self._hidden.students

    def without_decay(self) -> list[Any]:
        """Return the shared variables that weight decay leaves alone: all but kernels."""
        weights = self._hidden.network.weights
        return [v for i, v in self.weights_by_index.items() if weights[i].kind is not WeightKind.KERNEL]

    def moving_variables(self) -> list[Any]:
        """Return all variables that change during training, including those of the optimizer."""
        return [*self._moving(), self._turn, *self._random_states, *self.optimizer.variables]

    def conditions(self) -> list[npt.NDArray[Any]]:
        """Return arrays that stand for what the training depends on besides the variables: the projections."""
        return list(projection_arrays(self._students, self._shared_values()))

    def snapshot(self) -> list[npt.NDArray[Any]]:
        """Return copies of the shared weights and all states."""
        return plain_arrays(self._moving())

    def restore(self, snapshot: list[npt.NDArray[Any]]) -> None:
        """Restore a snapshot."""
        for variable, value in zip(self._moving(), snapshot, strict=True):
            assign_plain(variable, value)

    def _moving(self) -> list[Any]:
        return [*self.weights_by_index.values(), *self._states]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Have the moving averages of the weights in their place within the context, if the optimizer keeps any."""
        optimizer: Any = self.optimizer
        if not getattr(optimizer, "inner_optimizer", optimizer).use_ema:
            yield
            return
        kept = plain_arrays(self.weights_by_index.values())
        self.optimizer.finalize_variable_values(self.trainable_variables)
        try:
            yield
        finally:
            for variable, value in zip(self.weights_by_index.values(), kept, strict=True):
                assign_plain(variable, value)

    def is_finite(self) -> bool:
        """Whether all shared weights are finite."""
        return all(bool(np.all(np.isfinite(np.asarray(variable)))) for variable in self.weights_by_index.values())

    def measure(self, count: int | None = None) -> None:
        """Measure the batch-norm statistics of all networks on the first `count` examples; None means all."""
        examples = each(lambda column: column[:count], self._hidden.examples)
        for statistics in self._hidden.statistics:
            statistics.measure(examples)

    def measure_frozen(self) -> None:
        """Measure the statistics of narrowed networks with frozen batch norms, which use them during training."""
        for statistics in self._hidden.statistics:
            if statistics.has_frozen:
                statistics.measure(self._hidden.examples)

    def _statistics(
        self, students: Sequence[Student], examples: Any, is_narrowed: bool
    ) -> tuple[BatchNormStatistics, ...]:
        """Return what measures each network; frozen batch norms of the full network keep those of the input model.

        Args:
            students: the networks with the full network last.
            examples: examples of the type and shape that will be measured.
            is_narrowed: whether the last network is a subnetwork that is trained by itself, and not the full network.
        """
        own = None if is_narrowed else students[-1]

        def weights_of(student: Student) -> Callable[[], list[Any]]:
            return lambda: student.weights(self._shared_values())

        return tuple(
            BatchNormStatistics(s.model, weights_of(s), s.states, examples, frozen=s is not own) for s in students
        )

    def write_back(self) -> None:
        """Copy the projected slices of the trained weights, and the final states, to the models of the family."""
        for student in self._students:
            student.write(self.weights_by_index, self._hidden.network)

    def _shared_values(self) -> dict[int, Any]:
        """Return the shared weights by index as tensors, or as read from variables inside a graph."""
        return {i: variable.value for i, variable in self.weights_by_index.items()}

    def _at_inference(self, student: Student, x: Any) -> Any:
        """Return the outputs of a network in the order of the model's outputs.

        Examples may be in the structure that the model takes, as callbacks give them, or a tuple as in batches.
        """
        with strides_taken_first(student.model), student.rounding(x, moving=False) as (x, _):
            outputs, _ = student.model.stateless_call(
                student.weights(self._shared_values()),
                [state.value for state in student.states],
                inputs_for(student.model, x) if isinstance(x, tuple) else x,
                training=False,
            )
        return outputs_in_order(student.model, outputs)


@dataclass(frozen=True, eq=False)
class _Hidden:
    """What the model uses but Keras must not take for its parts."""

    students: tuple[Student, ...]
    aim: Objective
    step: StepSettings
    network: Network
    examples: Any
    statistics: tuple[BatchNormStatistics, ...]
    starts: Mapping[int, Any]
