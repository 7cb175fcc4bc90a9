from __future__ import annotations

import pytest

from facebench.base.errors import UserError
from facebench.lab.metrics.joint_bayesian import FitChoices


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (FitChoices(components=0), "--components 0: at least 1"),
        (FitChoices(components=-2), "--components -2: at least 1"),
        (FitChoices(iterations=0), "--iterations 0: at least 1"),
        (FitChoices(shrinkage=-0.5), "--shrinkage -0.5: a number from 0 up"),
        (FitChoices(tolerance=float("nan")), "tolerance nan"),
        (FitChoices(normalise="Unit"), "did you mean 'unit'"),
    ],
)
def test_choices_are_checked_without_data(choices: FitChoices, message: str) -> None:
    for check in (choices.check, lambda: choices.estimator(8)):
        with pytest.raises(UserError, match=message):
            check()


def test_the_choices_of_the_estimator_pass() -> None:
    for normalise in ("none", "unit", "centred"):
        FitChoices(None, normalise, 0.0, 1, 0.0).check()
