from __future__ import annotations

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.similarity.pooling import frame_scores
from tests.helpers.pooling_toys import Biased, PlainCosine, all_scores

LEFT, RIGHT = np.array([0, 1, 2, 3]), np.array([1, 2, 0, 0])


def test_the_largest_and_the_median_of_all_pairs_of_frames() -> None:
    rng = np.random.default_rng(0)
    videos = [rng.standard_normal((n, 6)).astype(np.float32) for n in (5, 4, 1, 0)]
    for similarity in (PlainCosine(), Biased(6)):
        every = [
            all_scores(similarity, videos[i], videos[j])
            for i, j in zip(LEFT[:3], RIGHT[:3], strict=True)
        ]
        for pooling, reduce in (("max-score", np.max), ("median-score", np.median)):
            found = frame_scores(pooling, similarity, videos.__getitem__, LEFT, RIGHT)
            np.testing.assert_allclose(found[:3], [reduce(block) for block in every], rtol=1e-5)
            assert found[3] == -np.inf  # a video without a frame that was acquired


def test_means_are_not_for_it() -> None:
    with pytest.raises(UserError, match="MeanPooler"):
        frame_scores("mean-score", PlainCosine(), lambda _: np.ones((1, 2)), LEFT, RIGHT)
