"""How wide letters are: drawings are laid out before any browser has seen them."""

from __future__ import annotations

SIZE = 12.0  # of all texts of a drawing, in its units
LINE = 16.0  # from one line to the next
_BOLD = 1.12

# Advances of DejaVu Sans, which is as wide as the widest of the usual fonts, in thousandths.
_WIDTHS = {
    letter: width
    for width, letters in (
        (318, " .,:;|!'`ijlI/\\"),
        (400, "frt()[]-J"),
        (530, 'scz"*?_'),
        (600, "kvxyFLTYZeo"),
        (640, "abdghnpquESP0123456789$#"),
        (700, "ABCKRVX&"),
        (790, "DGHNOQU+=<>−±×≈≥≤▲▼●◇"),
        (1000, "mwMW%@—…"),
    )
    for letter in letters
}
_OTHER = 1000


def width_of(text: str, *, bold: bool = False) -> float:
    """The width of a text in a drawing's units, at most what it takes."""
    thousandths = sum(_WIDTHS.get(letter, _OTHER) for letter in text)
    return SIZE * thousandths / 1000 * (_BOLD if bold else 1)


def shortened(text: str, most: float) -> str:
    """A text that takes no more than a width; what is left out is in its middle."""
    if width_of(text) <= most:
        return text
    kept = len(text) - 1
    while kept > 2 and width_of(text[: kept - kept // 2] + "…" + text[-(kept // 2) :]) > most:
        kept -= 1
    return text[: kept - kept // 2] + "…" + text[-(kept // 2) :]
