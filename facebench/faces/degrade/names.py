"""Names of what is done to crops: ``14px``, ``jpeg20``, ``blur2``, ``dark0.25``, joined by ``+``.

What a name means never changes; another meaning would be another name, since records and stored
embeddings are told apart by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from facebench.base.errors import UserError, nearest

Kind = Literal["px", "jpeg", "blur", "dark"]
JOIN = "+"
PROBE = ".probe"
EXAMPLES = ("14px", "jpeg20", "blur2", "dark0.25")
_WORDS: dict[Kind, str] = {
    "px": "at {} rows of pixels",
    "jpeg": "JPEG of quality {}",
    "blur": "blurred, sigma {} pixels",
    "dark": "{} of the light",
}
_NUMBER = r"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{0,2}[1-9])?"  # one way to write each
_STEP = re.compile(rf"(?P<rows>{_NUMBER})px|(?P<kind>jpeg|blur|dark)(?P<value>{_NUMBER})")
_JOINED = re.compile(rf"(?:\+(?:{_NUMBER}px|(?:jpeg|blur|dark){_NUMBER}))+(?:\.probe)?(?=\.)")
_MOST_SIGMA = 100  # pixels; the crop is one colour long before


@dataclass(frozen=True)
class DegradationStep:
    """One thing done to a crop. value: rows, quality, sigma in pixels, or the share of the light
    that is left; the text is its only name, ``14px``, ``jpeg20``, ``blur1.5``, ``dark0.25``.
    """

    kind: Kind
    value: float

    def __str__(self) -> str:
        return f"{self.value:g}px" if self.kind == "px" else f"{self.kind}{self.value:g}"

    @property
    def words(self) -> str:
        """What it does, for titles."""
        return _WORDS[self.kind].format(f"{self.value:g}")


@dataclass(frozen=True)
class Degradation:
    """Steps in their order, on both sides of a comparison or on its probe alone.

    Its text is the name after ``+``, e.g. ``28px+jpeg20.probe``.
    """

    steps: tuple[DegradationStep, ...]
    probe_only: bool = False

    def __str__(self) -> str:
        return self.crop_name + PROBE * self.probe_only

    @property
    def crop_name(self) -> str:
        """What is done to a crop, whichever side it is of: ``28px+jpeg20``."""
        return JOIN.join(map(str, self.steps))

    @property
    def rows(self) -> int | None:
        """The rows of pixels that are left, None: all."""
        found = [int(step.value) for step in self.steps if step.kind == "px"]
        return min(found) if found else None

    @property
    def words(self) -> str:
        """What is done, for titles."""
        done = ", ".join(step.words for step in self.steps)
        return f"{done} (probes only)" if self.probe_only else done

    def require_fits(self, height: int, where: str, model: str) -> None:
        """UserError where a crop of a model has fewer rows than a step leaves. where: begins it."""
        for step in self.steps:
            if step.kind == "px" and step.value > height:
                raise UserError(
                    f"{where}: {step} is more than the {height} rows of the crops of {model}; "
                    f"choose at most {height}px"
                )


def parse_degradation(text: str, where: str = "degradation") -> Degradation:
    """The degradation of a name; UserError, in one line that says what was meant.

    where: begins the line, e.g. the protocol that was named.
    """
    side = re.search(r"\.[A-Za-z]*$", text)
    if side and side[0] != PROBE and nearest(side[0], [PROBE]):
        raise UserError(
            f"{where}: {side[0]!r} is no side of a comparison; write {PROBE} for one side, and "
            "nothing for both"
        )
    steps = tuple(_step(part, where) for part in text.removesuffix(PROBE).split(JOIN))
    return Degradation(steps, text.endswith(PROBE))


def split_statistic(text: str) -> tuple[str, str]:
    """``lfw+blur1.5.probe.accuracy`` as the protocol, whose name may hold dots, and the statistic;
    of other texts what is before and after the first dot.
    """
    base, joined, _ = text.partition(JOIN)
    found = _JOINED.match(text, len(base)) if joined else None
    protocol = text[: found.end()] if found else text.partition(".")[0]
    return protocol, text[len(protocol) + 1 :]


def parse_several(text: str, where: str = "--degrade") -> list[Degradation]:
    """Names with commas between, each once; UserError as `parse_degradation`."""
    found = [parse_degradation(name.strip(), where) for name in text.split(",")]
    return list(dict.fromkeys(found))


def _step(text: str, where: str) -> DegradationStep:
    match = _STEP.fullmatch(text)
    if match is None:
        raise UserError(f"{where}: {text!r} is no degradation{_meant(text)}")
    kind: Kind = match["kind"] or "px"  # type: ignore[assignment]
    value = float(match["rows"] or match["value"])
    if wrong := _fault(kind, value):
        raise UserError(f"{where}: {text}: {wrong}")
    return DegradationStep(kind, value)


def _fault(kind: Kind, value: float) -> str:
    """What is wrong with a step's number, or nothing."""
    if kind in ("px", "jpeg") and not value.is_integer():
        return f"give a whole number, e.g. {EXAMPLES[kind == 'jpeg']}"
    if kind == "px" and value < 1:
        return "a crop keeps at least one row of pixels; write 1px or more"
    if kind == "jpeg" and not 1 <= value <= 100:
        return "a JPEG's quality is from 1 to 100, e.g. jpeg20"
    if kind == "blur" and not 0 < value <= _MOST_SIGMA:
        return f"sigma is above 0 and at most {_MOST_SIGMA} pixels, e.g. blur2"
    if kind == "dark" and not 0 < value < 1:
        return "the share of the light that is left is above 0 and below 1, e.g. dark0.25"
    return ""


_MEANT: dict[str, Kind] = {
    "px": "px", "p": "px", "pixels": "px", "rows": "px", "jpeg": "jpeg", "jpg": "jpeg", "q": "jpeg",
    "blur": "blur", "sigma": "blur", "dark": "dark",
}  # fmt: skip
_EXAMPLE: dict[Kind, str] = dict(zip(_WORDS, EXAMPLES, strict=True))


def _meant(text: str) -> str:
    """``; did you mean '14px'?``, or what there is."""
    known = f" ({', '.join(EXAMPLES)})"
    words, numbers = re.findall("[a-z]+", text.lower()), re.findall(r"[0-9]+(?:\.[0-9]+)?", text)
    if len(words) > 1 or len(numbers) > 1 or not (words or numbers):
        return known
    near = nearest(words[0] if words else "px", _MEANT)
    if not near:
        return known
    kind = _MEANT[near.split("'")[1]]
    value = float(numbers[0]) if numbers else 0.0
    meant = _EXAMPLE[kind] if _fault(kind, value) else str(DegradationStep(kind, value))
    return f"; did you mean {meant!r}?"
