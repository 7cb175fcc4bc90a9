"""People of one set of faces who are in another, and a protocol's accuracy without them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from facebench.statistics.people.overlap import WithoutPeople


@dataclass(frozen=True)
class SharedPerson:
    """person: of the test; same: in the other set; by_name: they are called the same; by_face:
    their similarity reaches the limit; similarity: of mean embeddings, None: no face was acquired.
    """

    person: str
    same: str
    by_name: bool
    by_face: bool
    similarity: float | None

    @property
    def by(self) -> str:
        """``name``, ``face`` or ``name and face``."""
        return " and ".join(["name"] * self.by_name + ["face"] * self.by_face)


@dataclass(frozen=True, eq=False)
class SharedPeople:
    """train, test: what records call the sets; people: of each; shared: those of the test who are
    in train; model, limit: by whose similarity, from where on; expected: people of the test who
    reach it by chance; found: of people with two images or more of the test, the share whose halves
    reach it, of so many ``halved``; protocol and numbers: its accuracy with and
    without them, None: not asked for, or ``why`` not.
    """

    train: str
    test: str
    people: tuple[int, int]
    shared: tuple[SharedPerson, ...]
    model: str
    limit: float
    expected: float
    found: float
    halved: int
    protocol: str = ""
    numbers: WithoutPeople | None = None
    why: str = ""
    remarks: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, str | float | bool | None]]:
        """A line a shared person, for CSV and JSON."""
        return [
            {
                "person": one.person,
                "same as": one.same,
                "by name": one.by_name,
                "by face": one.by_face,
                "similarity": one.similarity,
            }
            for one in self.shared
        ]


def plain_name(name: str) -> str:
    """A person's name as it is compared: letters without case and accents, words by one blank;
    empty for numbers, which name nobody.
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = re.sub(r"[\W_]+", " ", plain).strip()
    numbered = re.fullmatch(r"[a-z]{0,2}\d+", words)  # n000123 of VGGFace2
    return "" if numbered or not re.search(r"[^\W\d]", words) else words
