"""How good an embedding is: what simple classifiers reach on its features, which are not trained for the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
NEIGHBOURS = 20
"""How many neighbours vote."""


@dataclass(frozen=True)
class EmbeddingQuality:
    """What classifiers on features reach on test data, from 0 to 1.

    Attributes:
        linear_probe: Accuracy of a multinomial logistic regression on standardised features.
        knn: Accuracy of the vote of the 20 training examples with the highest cosine similarity.
    """

    linear_probe: float
    knn: float


def embedding_quality(train: Features, train_y: Labels, test: Features, test_y: Labels) -> EmbeddingQuality:
    """Fit both classifiers to the features of training examples, and count what they get right on those of test data.

    Args:
        train: Features of the training examples (N, ...), which are flattened.
        train_y: Their class numbers (N,).
        test: Features of the test examples (M, ...).
        test_y: Their class numbers (M,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler, normalize

    train, test = (array.reshape(len(array), -1) for array in (train, test))
    train_y, test_y = train_y.reshape(-1), test_y.reshape(-1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
    # On vectors of length 1, the Euclidean distance orders neighbours as the cosine similarity does.
    nearest = KNeighborsClassifier(NEIGHBOURS)
    return EmbeddingQuality(
        float(probe.fit(train, train_y).score(test, test_y)),
        float(nearest.fit(normalize(train), train_y).score(normalize(test), test_y)),
    )


def quality_of(model: Any, train: tuple[Any, Labels], test: tuple[Any, Labels]) -> EmbeddingQuality:
    """Return the quality of the features that a Keras model gives.

    Args:
        model: The encoder.
        train: Training examples and their class numbers.
        test: Test examples and their class numbers.
    """
    features = [np.asarray(model.predict(x, batch_size=256, verbose=0), np.float32) for x, _ in (train, test)]
    return embedding_quality(features[0], train[1], features[1], test[1])
