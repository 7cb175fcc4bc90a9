"""ROC curves: what is drawn where, in SVG and in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.figures.curves import bands
from facebench.figures.curves.caption import curve_caption
from facebench.figures.curves.curves import curve_names
from facebench.figures.curves.layout import layout_of
from facebench.figures.curves.plot import save_roc_plot
from facebench.figures.curves.svg import roc_svg
from facebench.figures.files import plot_format
from facebench.figures.labels import spread
from facebench.figures.styles import Styles
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from facebench.statistics import bootstrap_over_subjects, tar_statistic
from tests.helpers.plots import texts_of

MakeRecord = Callable[..., Record]
STARTS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def test_the_axis_reaches_beyond_the_finest_far(make_record: MakeRecord) -> None:
    layout = layout_of([make_record()])
    assert layout.resolution == 1 / 3000 and layout.far_low == pytest.approx(1e-4)
    assert layout.decades == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert layout.far_position(1.0) == 1 and layout.far_position(0.0) == 0
    assert layout.tar_position(1.0) == 1 and layout.tar_position(0.0) == 0
    assert 3 <= len(layout.tar_ticks) <= 8 and layout.tar_ticks[-1] == 1


def test_of_twelve_models_six_stand_out(make_record: MakeRecord) -> None:
    records = [make_record(model=f"m{n}", seed=n, draws=0) for n in range(12)]
    layout = layout_of(records)
    standing = [curve for curve in layout.curves if curve.look.colour is not None]
    assert len({(curve.look.colour, curve.look.dash) for curve in standing}) == 6
    assert layout.curves[0] in standing  # the reference
    root = ElementTree.fromstring(str(roc_svg(records)))
    lines = [e.get("class") or "" for e in root.iter() if (e.get("class") or "")[:4] == "line"]
    assert sorted(lines) == sorted([f"line c{n}" for n in range(6)] + ["line others"] * 6)
    names = [e.text for e in root.iter() if e.get("class") == "name"]
    assert set(names) == {curve.label for curve in standing} | {"6 others"}


def test_colour_is_the_model_and_dash_the_similarity(make_record: MakeRecord) -> None:
    cosine = [make_record(model=f"m{n}", seed=n, draws=0) for n in range(3)]
    other = [r.model_copy(update={"similarity": "joint-bayesian(0123abcd)"}) for r in cosine]
    looks = [curve.look for curve in layout_of([*cosine, *other]).curves]
    assert [look.colour for look in looks] == [0, 1, 2, 0, 1, 2]
    assert [look.dash for look in looks] == [0, 0, 0, 1, 1, 1]


def test_a_page_has_one_colour_of_a_model(make_record: MakeRecord) -> None:
    records = [make_record(model=f"m{n}", seed=n, draws=0) for n in range(4)]
    looks = Styles()
    first = layout_of(records[:2], None, looks).curves
    second = layout_of(records[1:], None, looks).curves
    assert first[1].look == second[0].look
    assert len({curve.look.colour for curve in second}) == 3


def test_the_key_has_the_best_first(make_record: MakeRecord) -> None:
    many = [make_record(model=f"m{n}", strength=3.6 - n / 50, draws=0) for n in range(6)]
    layout = layout_of(many[::-1])
    tars = [curve.tar_at(layout.resolution) for curve in layout.key]
    assert tars == sorted(tars, reverse=True) and layout.key[0].label == "m0"
    for curve in layout.curves:
        steps = zip(curve.far, curve.tar, strict=True)
        assert curve.tar_at(0.01) == [tar for far, tar in steps if far <= 0.01][-1]


def test_a_model_of_two_similarities_has_one_name_and_two_dashes(make_record: MakeRecord) -> None:
    one = make_record("m", draws=0)
    other = one.model_copy(update={"similarity": "joint-bayesian(0123abcd)"})
    curves = layout_of([one, other]).curves
    assert [curve.label for curve in curves] == ["m", "m"]
    assert curves[0].look.dash != curves[1].look.dash
    text = str(roc_svg([one, other]))
    assert ">m, cosine<" in text and ">m, joint-bayesian<" in text


def test_spread_keeps_order_and_distance_within_limits() -> None:
    placed = spread([0.9, 0.91, 0.9, 0.1], 0.1, 0.05, 0.95)
    assert sorted(placed) == pytest.approx([0.1, 0.75, 0.85, 0.95])
    assert placed[1] == max(placed) and placed[3] == min(placed)
    crowded = spread([0.5] * 21, 0.1, 0.0, 1.0)
    assert sorted(crowded) == pytest.approx([n / 20 for n in range(21)])


def test_svg_is_well_formed_steps(make_record: MakeRecord) -> None:
    text = str(roc_svg([make_record(model="<a&b>"), make_record(model="b", seed=1)]))
    root = ElementTree.fromstring(text)
    lines = [e for e in root.iter() if e.get("class", "").startswith("line")]
    paths = [element.get("d") or "" for element in lines]
    assert len(paths) == 2
    for path in paths:
        assert path.startswith("M") and set(path) <= set("MHV0123456789. ")  # no slanted line
    assert "<a&b>" in [element.text for element in root.iter()]


def test_a_det_mirrors_the_roc_on_two_logarithmic_axes(make_record: MakeRecord) -> None:
    record = make_record(draws=0)
    assert curve_names(record) == ["ROC", "DET"]
    roc, det = layout_of([record], "ROC"), layout_of([record], "DET")
    assert det.log and det.words.y_short == "FNMR % (1 − TAR)"
    assert det.curves[0].far == roc.curves[0].far
    both = zip(det.curves[0].tar, roc.curves[0].tar, strict=True)
    assert all(missed == pytest.approx(1 - tar) for missed, tar in both)
    assert det.tar_position(det.tar_low) == 0 and det.tar_position(det.tar_high) == 1
    middle = (det.tar_low * det.tar_high) ** 0.5
    assert det.tar_position(middle) == pytest.approx(0.5)
    assert det.tar_position(0.0) == 0  # what a logarithmic axis cannot show lies at its edge
    assert 3 <= len(det.tar_ticks) <= 8
    assert all(det.tar_low <= tick * 1.001 and tick <= det.tar_high for tick in det.tar_ticks)


def test_bands_lie_around_their_curves(make_record: MakeRecord) -> None:
    record = make_record(per_kind=100, draws=200)
    for name in ("ROC", "DET"):
        (curve,) = layout_of([record], name).curves
        assert curve.band is not None and curve.band.draws == 200 and not curve.whiskers
        inside = [
            low <= curve.tar_at(x) <= high
            for x, low, high in zip(curve.band.x, curve.band.low, curve.band.high, strict=True)
        ]
        assert sum(inside) >= 0.9 * len(inside)
        root = ElementTree.fromstring(str(roc_svg([record], name)))
        bands = [e for e in root.iter() if e.get("class", "").startswith("band")]
        assert len(bands) == 1 and (bands[0].get("d") or "").endswith("Z")


def test_the_band_is_the_bootstrap_over_people_at_its_fars(make_record: MakeRecord) -> None:
    record = make_record(per_kind=100, draws=120)
    (curve,) = layout_of([record]).curves
    table = record.table
    assert curve.band is not None and table is not None
    people = (table.left_subjects, table.right_subjects)
    for target in (0.1, 0.01):
        expected = bootstrap_over_subjects(
            tar_statistic(target),
            table.scores,
            table.mated,
            *people,
            draws=120,
            rng=np.random.default_rng(record.bootstrap.seed),
        )
        at = curve.band.x.index(target)
        assert curve.band.low[at] == pytest.approx(expected.low)
        assert curve.band.high[at] == pytest.approx(expected.high)
    assert {0.1, 0.01} <= set(curve.band.x)


def test_without_scores_the_records_intervals_are_drawn(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = save_record(make_record(per_kind=100, draws=50), tmp_path)
    for file in path.parent.glob("*.safetensors"):
        file.unlink()
    record = read_record(path)
    (curve,) = layout_of([record]).curves
    assert curve.band is None
    expected = {p.target: p.interval for p in record.statistics.tar_at_far if p.resolvable}
    assert {w.x: (w.low, w.high) for w in curve.whiskers} == {
        x: (found.low, found.high) for x, found in expected.items()
    }
    (missed,) = layout_of([record], "DET").curves
    assert missed.whiskers[0].low == pytest.approx(1 - curve.whiskers[0].high)
    assert str(roc_svg([record])).count("whisker") == 3 * len(expected)
    assert "Bars: 95% intervals in the record" in curve_caption([record], "ROC", "t")


def test_without_draws_there_are_intervals_and_no_bands(make_record: MakeRecord) -> None:
    record = make_record(draws=0)
    (curve,) = layout_of([record]).curves
    assert curve.band is None
    assert [w.x for w in curve.whiskers] == [p.target for p in record.statistics.tar_at_far]


def test_too_many_comparisons_for_a_page_have_no_band() -> None:
    assert bands._affordable(1000, 6000) == 1000
    assert bands._affordable(1000, 100_000) == 400
    assert bands._affordable(1000, 1_000_000) == 0
    assert bands._affordable(0, 6000) == 0


def test_bands_are_drawn_where_they_can_be_told_apart(make_record: MakeRecord) -> None:
    few = [make_record(f"m{n}", seed=n, per_kind=40, draws=20) for n in range(4)]
    assert str(roc_svg(few)).count('class="band') == 4
    assert "Bands: pointwise 95% intervals of 20 resamples of people" in curve_caption(
        few, "ROC", "t"
    )
    many = [*few, make_record("m4", seed=4, per_kind=40, draws=20)]
    assert 'class="band' not in str(roc_svg(many))
    assert "Bands" not in curve_caption(many, "ROC", "t")


def test_the_drawing_is_said_in_words(make_record: MakeRecord) -> None:
    record = make_record("a", per_kind=100, draws=0)
    label = ElementTree.fromstring(str(roc_svg([record]))).get("aria-label") or ""
    (curve,) = layout_of([record]).curves
    assert label.startswith("ROC curves, TAR over FAR. a: ")
    assert f"{100 * curve.tar_at(0.01):.2f} % at 0.01" in label and "at 1" in label


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_files_by_their_ending(make_record: MakeRecord, tmp_path: Path, ending: str) -> None:
    tables = [[make_record(model="$x$")], [make_record(kind="synthetic")]]
    path = tmp_path / f"roc.{ending}"
    save_roc_plot(tables, path)
    first = path.read_bytes()
    assert first.startswith(STARTS[ending.lower()])
    save_roc_plot(tables, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_synthetic_is_written_into_the_figure(make_record: MakeRecord, tmp_path: Path) -> None:
    for kind, expected in (("real", False), ("synthetic", True)):
        path = tmp_path / f"{kind}.svg"
        save_roc_plot([[make_record(kind=kind)]], path)
        assert ("SYNTHETIC FACES" in texts_of(path)) == expected


def test_another_ending_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"must be one of \.png, \.svg, \.pdf"):
        plot_format(Path("roc.gif"))
