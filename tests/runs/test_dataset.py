"""Data sets: what is read, and what is refused and how."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.framework.data import Arrays, has_labels, joined
from reds_core.runs.dataset import Dataset, Reading, dataset_from_arrays, load_data, read_data
from reds_core.runs.image_stream import ImageStream
from reds_core.runs.splitting import is_one_hot, split_validation

NO_FRAMEWORK: Any = None


class NamedData:
    """A framework that knows one data set."""

    def load_dataset(self, name: str) -> tuple[Arrays, Arrays]:
        if name != "known":
            raise InputError(f"data set '{name}' is unknown", "give a known one")
        x = np.arange(32, dtype=np.uint8).reshape(4, 4, 2)
        y = np.asarray([[0], [1], [0], [1]], np.uint8)
        return Arrays(x, y), Arrays(x[:2], y[:2])  # type: ignore[arg-type]


def arrays(**changes: Any) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    contents = {
        "x_train": generator.integers(0, 255, (12, 5, 5, 1)).astype(np.uint8),
        "y_train": np.arange(12, dtype=np.uint8) % 3,
        "x_test": generator.integers(0, 255, (6, 5, 5, 1)).astype(np.uint8),
        "y_test": np.arange(6, dtype=np.uint8) % 3,
    }
    contents.update(changes)
    return {name: array for name, array in contents.items() if array is not None}


def write(path: Path, **changes: Any) -> str:
    np.savez(path, **arrays(**changes))
    return str(path)


def refusal(source: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_data(source, NO_FRAMEWORK, **options)
    return str(caught.value)


def test_digits_are_the_same_every_time_and_split_over_all_classes() -> None:
    pytest.importorskip("sklearn")
    first, second = load_data("digits", NO_FRAMEWORK, seed=1), load_data("digits", NO_FRAMEWORK, seed=2)
    assert first.train.x.shape == (1437, 8, 8, 1)
    assert first.test.x.shape == (360, 8, 8, 1)
    assert first.train.x.dtype == np.float32
    assert first.train.x.max() == 16.0
    assert first.digest == second.digest
    shares = np.bincount(first.train.y) / np.bincount(np.concatenate([first.train.y, first.test.y]))
    assert np.all(np.abs(shares - 0.8) < 0.01)


def test_npz_is_read_as_it_is(tmp_path: Path) -> None:
    contents = arrays()
    data = load_data(write(tmp_path / "d.npz"), NO_FRAMEWORK)
    assert data.train.x.dtype == np.uint8
    assert data.train.y.dtype == np.int64
    np.testing.assert_array_equal(data.train.x, contents["x_train"])
    np.testing.assert_array_equal(data.test.y, contents["y_test"])
    assert len(data.digest) == 64


def test_digest_tells_contents_apart_not_file_names(tmp_path: Path) -> None:
    one = load_data(write(tmp_path / "a.npz"), NO_FRAMEWORK)
    same = load_data(write(tmp_path / "b.npz"), NO_FRAMEWORK)
    changed = arrays()["y_test"].copy()
    changed[0] = 1
    other = load_data(write(tmp_path / "c.npz", y_test=changed), NO_FRAMEWORK)
    assert one.digest == same.digest != other.digest


def test_labels_of_one_column_become_a_vector(tmp_path: Path) -> None:
    column = arrays()["y_train"][:, None]
    data = load_data(write(tmp_path / "d.npz", y_train=column), NO_FRAMEWORK)
    assert data.train.y.shape == (12,)


def test_one_hot_labels_stay(tmp_path: Path) -> None:
    hot = {"y_train": np.eye(3, dtype=np.uint8)[np.arange(12) % 3], "y_test": np.eye(3)[np.arange(6) % 3]}
    data = load_data(write(tmp_path / "d.npz", **hot), NO_FRAMEWORK)
    assert data.train.y.shape == (12, 3)
    assert data.train.y.dtype == np.float32
    assert is_one_hot(data.train.y)


def test_cut_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    write(path)
    content = path.read_bytes()
    for length in (0, 3, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:length])
        assert "truncated or damaged" in refusal(str(path))


def test_npz_with_flipped_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    write(path)
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(b ^ 0xFF for b in content[200:210])
    path.write_bytes(content)
    assert "truncated or damaged" in refusal(str(path))


def test_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npy"
    np.save(path, np.zeros(3))
    assert "single array" in refusal(str(path))


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_missing_array_is_named(tmp_path: Path, name: str) -> None:
    assert f"lacks {name}" in refusal(write(tmp_path / "d.npz", **{name: None}))


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    assert "pickled" in refusal(write(tmp_path / "d.npz", y_train=np.array([{}] * 12, object)))
    (tmp_path / "d.pkl").write_bytes(pickle.dumps(arrays()))
    assert "not an .npz" in refusal(str(tmp_path / "d.pkl"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ["x_train", "x_test", "y_train"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, name: str, bad: float) -> None:
    broken = arrays()[name].astype(np.float64)
    broken.flat[5] = bad
    message = refusal(write(tmp_path / "d.npz", **{name: broken}))
    assert "NaN or infinite" in message
    assert ("test" if name == "x_test" else "training") in message


def test_lengths_that_differ_are_refused(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "d.npz", y_test=np.zeros(5, int)))
    assert "6 examples and 5 labels" in message


def test_training_and_test_of_different_shapes_are_refused(tmp_path: Path) -> None:
    assert "different shapes" in refusal(write(tmp_path / "d.npz", x_test=np.zeros((6, 5, 4, 1))))
    assert "different shapes" in refusal(write(tmp_path / "e.npz", y_test=np.eye(3)[np.arange(6) % 3]))


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_empty_arrays_are_refused(tmp_path: Path, name: str) -> None:
    assert "empty" in refusal(write(tmp_path / "d.npz", **{name: arrays()[name][:0]}))


@pytest.mark.parametrize("name", ["x_train", "y_train"])
@pytest.mark.parametrize("kind", [str, complex, "datetime64[s]"])
def test_arrays_that_are_no_numbers_are_refused(tmp_path: Path, name: str, kind: Any) -> None:
    assert "not numbers" in refusal(write(tmp_path / "d.npz", **{name: arrays()[name].astype(kind)}))


@pytest.mark.parametrize("source", ["nowhere.npz", "no/such/folder"])
def test_missing_path_is_refused(source: str) -> None:
    assert "does not exist" in refusal(source)


def test_other_names_are_the_frameworks() -> None:
    data = load_data("known", NamedData())  # type: ignore[arg-type]
    assert data.train.x.dtype == np.uint8
    assert data.train.y.tolist() == [0, 1, 0, 1]
    with pytest.raises(InputError, match="'strange' is unknown"):
        load_data("strange", NamedData())  # type: ignore[arg-type]


# Folders of images


def draw(
    path: Path, size: tuple[int, int] = (6, 4), mode: str = "RGB", colour: Any = (255, 0, 0), **options: Any
) -> None:
    image_module = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image_module.new(mode, size, colour).save(path, **options)


def test_folder_with_train_and_test(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("ant", "bee")):
            for i in range(count):
                draw(tmp_path / part / name / f"{i}.png", colour=(100 * label, 0, 10 * i))
    data = load_data(str(tmp_path), NO_FRAMEWORK)
    assert data.train.x.shape == (6, 4, 6, 3)
    assert data.test.x.shape == (4, 4, 6, 3)
    np.testing.assert_array_equal(data.train.x[:, 0, 0, 0], 100 * data.train.y)
    assert data.test.y.tolist() == [0, 0, 1, 1]


def test_folder_of_classes_is_split_by_seed(tmp_path: Path) -> None:
    for label in range(2):
        for i in range(10):
            draw(tmp_path / f"class{label}" / f"{i}.png", mode="L", colour=label * 100 + i)
    first, again = load_data(str(tmp_path), NO_FRAMEWORK, seed=3), load_data(str(tmp_path), NO_FRAMEWORK, seed=3)
    other = load_data(str(tmp_path), NO_FRAMEWORK, seed=4)
    assert first.train.x.shape == (16, 4, 6, 1)
    assert np.bincount(first.test.y).tolist() == [2, 2]
    assert first.digest == again.digest != other.digest
    values = np.concatenate([first.train.x, first.test.x])[:, 0, 0, 0]
    assert sorted(values.tolist()) == [*range(10), *range(100, 110)]


def test_folders_without_classes_are_read_where_no_labels_are_needed(tmp_path: Path) -> None:
    for i in range(10):
        draw(tmp_path / "flat" / f"{i}.png", mode="L", colour=i)
        draw(tmp_path / "parts" / ("test" if i < 3 else "train") / f"{i}.png", mode="L", colour=i)
    reading = Reading(NO_FRAMEWORK, labelled=False)
    flat, parts = (read_data(str(tmp_path / name), reading) for name in ("flat", "parts"))
    assert not any(map(has_labels, (flat.train, flat.test, parts.train, parts.test)))
    assert (len(flat.train), len(flat.test), parts.test.x[:, 0, 0, 0].tolist()) == (8, 2, [0, 1, 2])
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        read_data(str(tmp_path / "none"), reading)


def test_labels_of_a_file_are_left_out_where_none_are_needed(tmp_path: Path) -> None:
    path, reading = write(tmp_path / "d.npz"), Reading(NO_FRAMEWORK, labelled=False)
    data = read_data(str(path), reading)
    assert not has_labels(data.train)
    other = write(tmp_path / "e.npz", y_train=None, y_test=None)
    assert read_data(str(other), reading).digest == data.digest


def test_images_are_brought_to_the_models_input(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "0.png", size=(20, 10), colour=(10, 20, 30))
    draw(tmp_path / "a" / "1.png", size=(5, 5), mode="L", colour=77)
    draw(tmp_path / "b" / "0.png", size=(3, 9), mode="RGBA", colour=(1, 2, 3, 4))
    draw(tmp_path / "b" / "1.png", size=(3, 9), mode="P", colour=0)
    colour = load_data(str(tmp_path), NO_FRAMEWORK, input_shape=(8, 7, 3))
    grey = load_data(str(tmp_path), NO_FRAMEWORK, input_shape=(8, 7, 1))
    assert colour.train.x.shape[1:] == (8, 7, 3)
    assert grey.train.x.shape[1:] == (8, 7, 1)
    every = np.concatenate([colour.train.x, colour.test.x])[:, 4, 3].tolist()
    assert [77.0, 77.0, 77.0] in every
    assert [10.0, 20.0, 30.0] in every


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label in range(3):
        for i in range(15):
            draw(tmp_path / f"class{label}" / f"{i}.png", mode="L", colour=label * 20 + i)
    return tmp_path


def streamed(photos: Path, **options: Any) -> Dataset:
    return read_data(str(photos), Reading(NO_FRAMEWORK, streamed=True, batch_size=8, **options))


def test_images_read_in_each_pass_are_those_read_at_once(photos: Path) -> None:
    data, kept = streamed(photos, seed=3), load_data(str(photos), NO_FRAMEWORK, seed=3)
    for stream, arrays in ((data.train, kept.train), (data.test, kept.test)):
        assert isinstance(stream, ImageStream)
        every = joined(list(stream.batches()))
        assert len(list(stream.batches())) == stream.batches_per_pass == -(-len(arrays) // 8)
        order = np.argsort(every.x[:, 0, 0, 0])
        kept_order = np.argsort(arrays.x[:, 0, 0, 0])
        np.testing.assert_array_equal(every.x[order], arrays.x[kept_order])
        np.testing.assert_array_equal(every.y[order], arrays.y[kept_order])
        assert every.x.dtype == np.uint8
    np.testing.assert_array_equal(joined(list(data.test.survey())).x, kept.test.x)


def test_images_come_in_a_new_order_in_each_pass_that_only_depends_on_the_seed_and_the_pass(photos: Path) -> None:
    def orders(stream: Any, passes: int = 3) -> list[list[int]]:
        return [joined(list(stream.batches())).x[:, 0, 0, 0].tolist() for _ in range(passes)]

    whole = orders(streamed(photos).train)
    assert len({tuple(order) for order in whole}) == 3
    assert orders(streamed(photos, seed=1).train) != whole
    other = streamed(photos).train
    other.sample(4)
    other.rewind(2)
    assert orders(other, 1) == whole[2:]
    other.rewind(0)
    assert orders(other) == whole
    test = orders(streamed(photos).test)
    assert test[0] == test[1]


def test_images_are_split_for_validation_by_their_files(photos: Path) -> None:
    stream = streamed(photos).train
    rest, held = stream.split(0.25, 0)
    assert np.bincount(joined(list(held.batches())).y).tolist() == [3, 3, 3]
    every = np.concatenate([joined(list(part.batches())).x for part in (rest, held)])[:, 0, 0, 0]
    assert sorted(every.tolist()) == sorted(joined(list(stream.batches())).x[:, 0, 0, 0].tolist())


def test_images_that_would_take_too_much_memory_are_read_in_each_pass(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = 45 * 4 * 6
    for available, expected in ((4 * decoded, Arrays), (4 * decoded - 4, ImageStream), (None, Arrays)):
        monkeypatch.setattr("reds_core.runs.dataset.available_bytes", lambda available=available: available)
        assert isinstance(load_data(str(photos), NO_FRAMEWORK).train, expected)


def test_the_digest_of_images_read_in_each_pass_is_that_of_their_names_sizes_and_labels(photos: Path) -> None:
    first = streamed(photos).digest
    assert streamed(photos).digest == first
    draw(photos / "class1" / "0.png", mode="L", size=(40, 30), colour=7)
    assert streamed(photos).digest != first


def test_the_sample_of_images_shows_all_classes_in_bounded_memory(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reds_core.runs.image_stream.SAMPLE_BYTES", 20 * 4 * 6)
    stream = streamed(photos).train
    assert set(stream.sample(100).y.tolist()) == {0, 1, 2}
    assert len(stream.sample(100)) == 20
    np.testing.assert_array_equal(stream.sample(5).x, stream.sample(100).x[:5])


def test_images_without_a_model_get_one_size(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "0.png", size=(20, 10))
    draw(tmp_path / "b" / "0.png", size=(5, 5), mode="L", colour=7)
    assert load_data(str(tmp_path), NO_FRAMEWORK).train.x.shape[1:] == (96, 96, 3)


def test_images_are_turned_upright_and_deep_grey_is_scaled(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    exif = image_module.Exif()
    exif[0x0112] = 6
    draw(tmp_path / "a" / "0.jpg", size=(6, 4), exif=exif)
    draw(tmp_path / "b" / "0.jpg", size=(4, 6))
    assert load_data(str(tmp_path), NO_FRAMEWORK).train.x.shape[1:] == (6, 4, 3)
    for name, value in (("a", 65535), ("b", 257 * 100)):
        draw(tmp_path / "deep" / name / "0.png", mode="I;16", colour=value)
    deep = load_data(str(tmp_path / "deep"), NO_FRAMEWORK)
    assert {deep.train.x.max(), deep.test.x.max()} == {255.0, 100.0}


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "good.png")
    draw(tmp_path / "b" / "good.png")
    (tmp_path / "b" / "bad.png").write_bytes(b"not an image")
    message = refusal(str(tmp_path))
    assert "bad.png' cannot be read" in message
    assert "good.png" not in message
    whole = (tmp_path / "a" / "good.png").read_bytes()
    (tmp_path / "b" / "bad.png").write_bytes(whole[: len(whole) // 2])
    assert "bad.png' cannot be read" in refusal(str(tmp_path), input_shape=(4, 6, 3))


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "0.png")
    draw(tmp_path / "b" / "0.png")
    (tmp_path / "b" / ".DS_Store").write_bytes(b"x")
    assert len(load_data(str(tmp_path), NO_FRAMEWORK).train) == 1


def test_folders_of_no_use_are_refused(tmp_path: Path) -> None:
    assert "0 class folders" in refusal(str(tmp_path))
    draw(tmp_path / "a" / "0.png")
    assert "1 class folder," in refusal(str(tmp_path))
    (tmp_path / "b").mkdir()
    assert "holds no images" in refusal(str(tmp_path))


def test_test_classes_must_be_training_classes(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a", "test/c"):
        draw(tmp_path / name / "0.png")
    assert "'" + str(tmp_path / "test" / "c") + "' is a class that the training images lack" in refusal(str(tmp_path))


@pytest.mark.parametrize("shape", [(250,), (8, 8, 2), (None, None, 3)])
def test_folder_for_a_model_that_takes_no_images_is_refused(tmp_path: Path, shape: tuple[int | None, ...]) -> None:
    draw(tmp_path / "a" / "0.png")
    draw(tmp_path / "b" / "0.png")
    assert "not an image" in refusal(str(tmp_path), input_shape=shape)


# Holding back


def numbered(y: Any) -> Arrays:
    return Arrays(np.arange(len(y), dtype=np.float32)[:, None], np.asarray(y))


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_holding_back_divides_the_data(labels: list[int], fraction: float, seed: int) -> None:
    rest, held = split_validation(numbered(labels), fraction, seed)
    assert len(rest) > 0
    assert len(held) > 0
    together = np.concatenate([rest.x, held.x])[:, 0]
    assert sorted(together.tolist()) == list(range(len(labels)))
    for part in (rest, held):
        np.testing.assert_array_equal(part.y, np.asarray(labels)[part.x[:, 0].astype(int)])
    counts = np.bincount(labels, minlength=5)
    if counts.max() > 1:
        assert set(rest.y.tolist()) == set(labels)
        assert np.all(np.bincount(held.y, minlength=5) <= np.ceil(counts * min(fraction + 1 / len(labels), 1)))


@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=60), fraction=st.floats(0.01, 0.99))
@settings(max_examples=50, deadline=None)
def test_holding_back_in_place_gives_the_same_examples(labels: list[int], fraction: float) -> None:
    def data() -> Arrays:
        x = {"a": np.arange(len(labels) * 3).reshape(-1, 3), "b": np.arange(len(labels), dtype=np.uint8)}
        return Arrays(x, np.asarray(labels), np.arange(len(labels), dtype=np.float32))

    copied = split_validation(data(), fraction, 3)
    for part, moved in zip(copied, split_validation(data(), fraction, 3, in_place=True), strict=True):
        np.testing.assert_array_equal(part.x["a"], moved.x["a"])
        np.testing.assert_array_equal(part.x["b"], moved.x["b"])
        np.testing.assert_array_equal(part.y, moved.y)
        np.testing.assert_array_equal(part.weights, moved.weights)


def test_arrays_that_cannot_be_written_are_copied() -> None:
    data = numbered(np.arange(20) % 2)
    data.x.flags.writeable = False
    before = data.x.copy()
    split_validation(data, 0.2, 0, in_place=True)
    np.testing.assert_array_equal(data.x, before)


def test_holding_back_is_stratified_for_one_hot_labels() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    _, held = split_validation(numbered(np.eye(3, dtype=np.float32)[labels]), 0.1, seed=0)
    assert held.y.sum(axis=0).tolist() == [6, 3, 1]


def test_holding_back_of_real_labels_follows_the_seed() -> None:
    data = numbered(np.linspace(0, 1, 50, dtype=np.float32))
    first, again, other = (split_validation(data, 0.2, seed)[1].x.tolist() for seed in (1, 1, 2))
    assert len(first) == 10
    assert first == again != other


def test_holding_back_what_cannot_be_held_back_is_refused() -> None:
    for fraction in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="cannot be held back"):
            split_validation(numbered([0, 1]), fraction, 0)
    with pytest.raises(InputError, match="cannot be split"):
        split_validation(numbered([0]), 0.5, 0)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (np.uint8, np.uint8),
        (np.int8, np.int8),
        (np.uint16, np.uint16),
        (np.float16, np.float16),
        (np.float32, np.float32),
        (np.float64, np.float32),
        (np.int64, np.float32),
        (np.bool_, np.float32),
    ],
)
def test_examples_of_small_types_keep_them(given: type, held: type) -> None:
    x, y = np.arange(12).reshape(6, 2).astype(given), np.arange(6) % 2
    data = dataset_from_arrays((x, y), (x, y))
    assert data.train.x.dtype == held
    np.testing.assert_array_equal(data.train.x, x.astype(np.float32))


def test_images_of_bytes_take_little_more_than_their_own_size(tmp_path: Path) -> None:
    """Read, checked and split: one copy of all, and one of each part."""
    path = tmp_path / "images.npz"
    x = np.random.default_rng(0).integers(0, 255, (1000, 32, 32, 3), np.uint8)
    np.savez(path, x_train=x, y_train=np.arange(1000) % 10, x_test=x[:10], y_test=np.arange(10))
    split_validation(load_data(str(path), NO_FRAMEWORK).train, 0.1, 0)  # modules are imported now, and not measured
    tracemalloc.start()
    try:
        data = load_data(str(path), NO_FRAMEWORK)
        split_validation(data.train, 0.1, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * x.nbytes


def test_data_that_does_not_fit_into_memory_is_told_by_its_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path / "d.npz")

    def fail(*arguments: Any) -> Any:
        raise MemoryError("Unable to allocate 3.00 GiB for an array with shape (1000000, 3072) and data type uint8")

    monkeypatch.setattr("reds_core.runs.dataset.read_archive", fail)
    with pytest.raises(
        InputError, match=r"does not fit into memory \(Unable to allocate 3.00 GiB.*; give fewer examples"
    ):
        load_data(path, NO_FRAMEWORK)
