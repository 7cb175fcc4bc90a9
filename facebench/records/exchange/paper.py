"""Records for a paper: values that its text takes by name, and BibTeX of the protocols."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from facebench.base.errors import UserError
from facebench.base.text import percent
from facebench.protocols.cards import load_protocol
from facebench.records.frames import named_estimates, shown_interval
from facebench.records.record import Record, similarity_kind

_HEAD = r"""% \fb{sparse_074.lfw.accuracy} is in per cent; .low and .high after it are its interval.
% Made by facebench from records: write it again instead of changing it.
\providecommand{\fb}[1]{\ifcsname fb@#1\endcsname\csname fb@#1\endcsname\else
  \errmessage{facebench has no value called #1}\textbf{??}\fi}
"""
_SOURCE = re.compile(r"(?:After )?(?P<authors>[^:]+): (?P<title>.+?)(?:\. |(?<=\?) )(?P<where>.+)")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def values_tex(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    r"""``values.tex``: ``\fb{MODEL.PROTOCOL.STATISTIC}`` for every statistic of the records.

    Another similarity than cosine, and rendered faces, stand before the statistic; where two
    records would have one name, the later has its data's in it, and its digest's.
    """
    values: dict[str, str] = {}
    for record in records:
        own = record.data.fingerprint
        for apart in ((), (own,), (own, record.digest()[:8])):
            found = dict(_values(record, apart))
            if not set(found) & set(values):
                break
        values |= found
    define = r"\expandafter\def\csname fb@{}\endcsname{{{}}}"
    lines = [define.format(key, text) for key, text in values.items()]
    return {"values.tex": ("\n".join([_HEAD.rstrip(), *lines]) + "\n").encode()}


def _values(record: Record, apart: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Names and numbers; of the model its kept share and its bytes, too."""
    kind, data = similarity_kind(record.similarity), record.data.kind
    model = _plain(record.model.id)
    words = [model, record.protocol.name, *(() if data == "real" else (data,))]
    place = ".".join(map(_plain, (*words, *(() if kind == "cosine" else (kind,)), *apart)))
    for statistic, estimate in named_estimates(record.statistics).items():
        yield f"{place}.{_plain(statistic)}", percent(estimate.value)
        if (ends := shown_interval(estimate)) is not None:
            yield f"{place}.{_plain(statistic)}.low", percent(ends.low)
            yield f"{place}.{_plain(statistic)}.high", percent(ends.high)
    if record.model.compression_ratio is not None:
        yield f"{place}.kept", percent(record.model.compression_ratio)
    if record.model.bytes is not None:
        yield f"{place}.megabytes", f"{record.model.bytes / 1e6:.2f}"


def _plain(text: str) -> str:
    """Without what TeX acts on in a name; ``_``, ``@`` and ``=`` it takes as they are."""
    return re.sub(r"[^\w@=+-]", "-", text, flags=re.ASCII)


def protocols_bib(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    """``protocols.bib``: an entry for the paper of every protocol of the records."""
    sources: dict[str, list[str]] = {}
    for protocol in dict.fromkeys(record.protocol.name for record in records):
        try:
            source = load_protocol(protocol).source
        except UserError:  # of a card that is not here
            continue
        sources.setdefault(source, []).append(protocol)
    entries = [bibtex(source, protocols) for source, protocols in sources.items()]
    return {"protocols.bib": "\n".join(entries).encode()}


def bibtex(source: str, protocols: Sequence[str]) -> str:
    """A BibTeX entry of a card's ``source``, ``Authors: Title. Where, year``; keyed by the first of
    the protocols.
    """
    found, year = _SOURCE.fullmatch(source), _YEAR.findall(source)
    fields = {"title": f"{{{source}}}"}
    if found is not None:
        fields = {
            "author": " and ".join(f"{{{one.strip()}}}" for one in found["authors"].split(",")),
            "title": f"{{{found['title']}}}",
            "howpublished": found["where"],
        }
    if year:
        fields["year"] = year[-1]
    fields["note"] = f"facebench: {', '.join(protocols)}"
    text = "".join(f"  {key} = {{{_escaped(value)}}},\n" for key, value in fields.items())
    return f"@misc{{{protocols[0]},\n{text}}}\n"


def _escaped(text: str) -> str:
    return re.sub(r"([&%#_$])", r"\\\1", text)
