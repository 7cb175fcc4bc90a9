"""The words of verdicts: names, differences in points, what may still be, and what is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facebench.base.text import numbered, points
from facebench.comparison.paired import SAME, SMALLER_IS_BETTER, Paired
from facebench.records.record import Record
from facebench.records.sections import ModelSection

_NAMES = 3  # that a sentence may hold
SEARCHES = ("identification", "search", "template-search")  # kinds of protocols


def names_text(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b and 4 more``."""
    shown = list(names)
    if len(shown) > _NAMES:
        shown = [*shown[: _NAMES - 1], f"{len(shown) - _NAMES + 1} more"]
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


def share_of(number: int, total: int) -> str:
    """``4 of 5``, ``all 5``, ``both``, ``none of the 5``."""
    if number == total:
        return {1: "1 of 1", 2: "both"}.get(total, f"all {total}")
    return f"{number} of {total}" if number else f"none of the {total}"


def amount(share: float) -> str:
    """How large a difference is, without its sign: ``0.30 points``."""
    return f"{points(abs(share))[1:]} points"


def amounts(shares: Sequence[float]) -> str:
    """``by 0.30 points``, ``by 0.30 to 1.20 points``."""
    sizes = sorted(map(abs, shares))
    low, high = amount(sizes[0]), amount(sizes[-1])
    return f"by {low}" if low == high else f"by {low.removesuffix(' points')} to {high}"


def signed(paired: Paired) -> str:
    """``−0.23 points, 95% from −0.66 to +0.20``: a difference and its interval."""
    text = f"{points(paired.difference)} points"
    if paired.interval is None or paired.interval.kind == SAME:
        return text
    level = f"{100 * paired.interval.level:g}%"
    return f"{text}, {level} from {points(paired.interval.low)} to {points(paired.interval.high)}"


def sized_interval(paired: Paired) -> str:
    """`` (95%: 0.51 to 1.53)``: the interval of a loss or a gain, as sizes; or nothing."""
    if paired.interval is None:
        return ""
    ends = [paired.interval.low, paired.interval.high]
    if paired.difference < 0:
        ends = [-end for end in reversed(ends)]
    low, high = (points(end).removeprefix("+") for end in ends)
    return f" ({level_text([paired])}: {low} to {high})"


def worst_left(paired: Paired) -> float:
    """The loss that the interval does not exclude, as a share; 0: it excludes any."""
    if paired.interval is None:
        return 0.0
    less = paired.statistic in SMALLER_IS_BETTER
    return max(0.0, paired.interval.high if less else -paired.interval.low)


def loses(paired: Paired) -> bool:
    """Whether the interval, which is not corrected for several tests, holds losses alone."""
    if paired.interval is None:
        return False
    less = paired.statistic in SMALLER_IS_BETTER
    return paired.interval.low > 0 if less else paired.interval.high < 0


def level_text(paired: Sequence[Paired]) -> str:
    """The level of the intervals, ``95%``."""
    found = next((one.interval.level for one in paired if one.interval), 0.95)
    return f"{100 * found:g}%"


def unit_of(record: Record) -> str:
    """What a protocol compares: ``pair``, ``search``, ``comparison``."""
    kind = record.protocol.kind
    return "search" if kind in SEARCHES else "pair" if kind == "verification" else "comparison"


def comparisons_text(record: Record) -> str:
    """``6,000 pairs``."""
    return numbered(record.comparisons.total, unit_of(record))


def saved_text(model: ModelSection, than: ModelSection) -> str:
    """``4.2 of 8.9 MB (−53%), 1.91 of 4.46 M weights (−57%)``; nothing where sizes are unknown."""
    parts = []
    if model.bytes is not None and than.bytes:
        parts.append(_of(_bytes, model.bytes, than.bytes))
    if model.kept_parameters is not None and than.kept_parameters:
        parts.append(_of(_weights, model.kept_parameters, than.kept_parameters))
    if model.multiply_adds is not None and than.multiply_adds:
        parts.append(_products(model, than.multiply_adds))
    return ", ".join(parts)


def capital(text: str) -> str:
    """A sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def change(ratio: float) -> str:
    """``−53%``, ``+12%``, ``−0.4%``, ``as before``: of what there was."""
    if ratio == 1:
        return "as before"
    percent = 100 * (ratio - 1)
    return f"{percent:+.{0 if abs(percent) >= 1 else 1}f}%".replace("-", "−")


def _of(text: Callable[[int, int], str], one: int, other: int) -> str:
    return f"{text(one, other)} ({change(one / other)})"


def _bytes(one: int, other: int) -> str:
    size, unit = (1e6, "MB") if max(one, other) >= 1e6 else (1e3, "kB")
    places = 1 if min(one, other) >= 0.1 * size else 2
    return f"{one / size:.{places}f} of {other / size:.{places}f} {unit}"


def _weights(one: int, other: int) -> str:
    return f"{_counted(one, other)} weights"


def _products(model: ModelSection, other: int) -> str:
    """Multiply-adds; zeros among the weights save some only where they are skipped."""
    one, kept = model.multiply_adds or 0, model.kept_multiply_adds
    told = f"{_counted(one, other)} multiply-adds ({change(one / other)})"
    if one == other:
        told = f"{one / 1e6:.0f} M multiply-adds as before"
    if kept is None or kept == one:
        return told
    return f"{told}, {kept / 1e6:.0f} M without zeros"


def _counted(one: int, other: int) -> str:
    if min(one, other) < 1e4:
        return f"{one:,} of {other:,}"
    return f"{one / 1e6:.2f} of {other / 1e6:.2f} M"
