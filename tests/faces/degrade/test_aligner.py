"""Crops of an aligner, degraded."""

from __future__ import annotations

import pickle

import numpy as np

from facebench.faces.align.aligners import CentreCrop
from facebench.faces.degrade.aligner import DegradedAligner, degraded
from facebench.faces.degrade.kernels import as_jpeg, reduced
from facebench.faces.degrade.names import parse_degradation
from facebench.faces.types import Aligner
from tests.faces.degrade.test_kernels import smooth

HOW = parse_degradation("28px+jpeg20")


class NoFace(Aligner):
    signature = "none-found"
    remarks = ("a remark",)

    def __call__(self, key, image, size):  # type: ignore[no-untyped-def]
        return None


def test_the_crop_is_degraded_after_it_was_cut_in_the_order_of_the_name() -> None:
    image = smooth(250, 250)
    crop = CentreCrop()("a", image, (112, 96))
    found = DegradedAligner(CentreCrop(), HOW)("a", image, (112, 96))
    assert found is not None
    assert np.array_equal(found, as_jpeg(reduced(crop, 28), 20))
    other = degraded(crop, parse_degradation("jpeg20+28px"))
    assert not np.array_equal(found, other)


def test_the_signature_tells_what_was_done_and_the_side_does_not_matter() -> None:
    both = DegradedAligner(CentreCrop(), HOW)
    probe = DegradedAligner(CentreCrop(), parse_degradation("28px+jpeg20.probe"))
    assert both.signature == f"{CentreCrop.signature}+28px+jpeg20" == probe.signature
    assert both.said == "+28px+jpeg20"
    again = pickle.loads(pickle.dumps(both))  # it travels to the processes that read
    image = smooth(250, 250)
    assert np.array_equal(again("a", image, (112, 96)), both("a", image, (112, 96)))


def test_a_face_that_was_not_found_stays_not_found() -> None:
    found = DegradedAligner(NoFace(), HOW)
    assert found("a", smooth(), (112, 96)) is None
    assert found.remarks == ("a remark",)
