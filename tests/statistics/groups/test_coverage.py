"""What the intervals of groups' rates hold, and the level of p: docs/understand/coverage.md."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from facebench.statistics.groups.rates import Accepts, Compared, group_rates
from tests.helpers.group_coverage import across, coverage, of_summaries, scores, truth, within


def test_the_truth_is_that_of_many_scores() -> None:
    """The closed form against a long list of people who share little."""
    graph = across(60_000, 60_000)
    shift = np.array([-0.3, 0.0, 0.3])
    drawn = scores(graph, 0.0, shift, np.random.default_rng(0))
    compared = Compared.of(graph.units, graph.labelled)
    rates = group_rates(compared, Accepts.fitted(drawn, graph.mated, 0.1, compared.sharing))
    fmr, fnmr = truth(graph, shift, 0.1)
    assert [rate.value for rate in rates.fmr_of] == pytest.approx(fmr, abs=0.012)
    assert [rate.value for rate in rates.fnmr_of] == pytest.approx(fnmr, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize("far", [0.1, 0.01])
@pytest.mark.parametrize("make", [across, within])
def test_rates_hold_93_to_97(make, far: float) -> None:
    """Of 150 lists 95% have a standard error of 1.8 points, the mean of groups about one."""
    for kind, shares in coverage(make(), 0.2, far, 150, seed=3).items():
        print(make.__name__, far, kind, shares)
        assert 0.92 <= np.mean(shares) <= 0.985, kind
        assert min(shares) >= 0.88, kind


@pytest.mark.slow
def test_p_keeps_its_level_and_a_worst_rate_is_held() -> None:
    graph = across(300, 1500)
    for name, (held, told) in of_summaries(graph, 0.2, 0.05, 100, apart=0.0, draws=99).items():
        print(name, held, told)
        assert binomtest(round(100 * told), 100, 0.05, alternative="greater").pvalue > 1e-4, name
        if name.startswith("worst"):
            assert held >= 0.9
