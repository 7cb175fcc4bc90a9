"""Whether what is measured here is as a paper says: signs of differences, values, and orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facebench.base.text import alike
from facebench.comparison.paired import Paired
from facebench.comparison.verdict.words import amounts, capital, share_of

_Told = float | str


def papers_sentence(pairs: Sequence[tuple[str, float]], by: str = "") -> str:
    """``In the paper all 5 are above their reference, by 0.03 to 0.35 points.``

    pairs: (model, its difference there); by: what they are compared by, where a page has several.
    """
    differences = [one for _, one in pairs]
    if not differences:
        return ""
    total = len(differences)
    parts = []
    for word, found in (
        ("above", [one for one in differences if one > 0]),
        ("below", [one for one in differences if one < 0]),
    ):
        if found:
            are = "is" if len(found) == 1 else "are"
            of_it = f" {are} {word} {'its' if len(found) == 1 else 'their'} reference"
            who = pairs[0][0] if total == 1 else share_of(len(found), total)
            parts.append(f"{who}{of_it}, {amounts(found)}")
    equal = total - sum(one != 0 for one in differences)
    if equal:
        who = pairs[0][0] if total == 1 else share_of(equal, total)
        with_it = "its reference" if equal == 1 else "their reference"
        parts.append(f"{who} {'is' if equal == 1 else 'are'} level with {with_it}")
    return f"In the paper{f' ({by})' if by else ''} {'; '.join(parts)}."


def agreement_text(pairs: Sequence[tuple[Paired, float]]) -> str:
    """Whether tests come out as the paper's differences do: ``yes``, ``not shown``, ``opposite``,
    ``in part: …``; nothing where the paper has none.
    """
    signs = [(one.verdict, paper) for one, paper in pairs if paper]
    if not signs:
        return ""
    same = sum(verdict == ("better" if paper > 0 else "worse") for verdict, paper in signs)
    other = sum(verdict == ("worse" if paper > 0 else "better") for verdict, paper in signs)
    total = len(signs)
    if same == total:
        return "yes"
    if other == total:
        return "opposite"
    if not same and not other:
        return "not shown"
    parts = (("as there", same), ("opposite", other), ("not shown", total - same - other))
    return "in part: " + ", ".join(f"{number} {word}" for word, number in parts if number)


def order_sentence(heading: str, unit: str, values: Sequence[tuple[str, _Told, _Told]]) -> str:
    """How a column without tests is beside the paper's. values: name of the row, here, the paper.

    Words: how many are the same; counts, bytes and ratios: how far off at most; other numbers:
    whether the rows come in the same order.
    """
    start = capital(heading)
    if any(isinstance(one, str) or isinstance(other, str) for _, one, other in values):
        same = sum(str(one) == str(other) for _, one, other in values)
        return f"{start}: {share_of(same, len(values))} the same as in the paper."
    numbers = [(name, float(one), float(other)) for name, one, other in values]
    if unit in ("count", "bytes", "ratio"):
        off = max(abs(one / other - 1) for _, one, other in numbers if other)
        return f"{start}: all {len(values)} within {100 * off:.1f}% of the paper's."
    shown = alike([number for _, *pair in numbers for number in pair], unit)  # as in the table
    return f"{start}: {_order(numbers, shown)}."


def _order(numbers: Sequence[tuple[str, float, float]], shown: Callable[[float], str]) -> str:
    here = [name for name, _, _ in sorted(numbers, key=lambda at: at[1])]
    paper = [name for name, _, _ in sorted(numbers, key=lambda at: at[2])]
    if len(numbers) < 2:
        ((_, one, other),) = numbers
        return f"{shown(one)}, the paper's {shown(other)}"
    low = shown(min(one for _, one, _ in numbers))
    least = shown(min(other for *_, other in numbers))
    if here == paper:
        return (
            f"the rows come in the same order as in the paper, lowest “{here[0]}” ({low}, "
            f"there {least})"
        )
    return (
        f"the order differs from the paper's: lowest here “{here[0]}” ({low}), there "
        f"“{paper[0]}” ({least})"
    )
