"""A gate's verdicts as text, Markdown, JUnit XML and GitHub's annotations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args
from xml.etree import ElementTree

from facebench.base.text import printable
from facebench.gate.judge import GateResult, Judgement, Verdict
from facebench.gate.outcome import outcome_sentences
from facebench.tables.markdown import grid, plain, verdict_lines
from facebench.tables.table import Table, list_of

GateFormat = Literal["text", "md", "junit", "github"]
FORMATS: tuple[GateFormat, ...] = get_args(GateFormat)
MARKS: dict[Judgement, str] = {"pass": "✓ pass", "fail": "✗ FAIL", "undecided": "? undecided"}
# What XML 1.0 cannot hold.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_gate(result: GateResult, format: GateFormat) -> str:
    """Verdicts in a format, ending with a line break."""
    formats: dict[str, Callable[[GateResult], str]] = {
        "text": _text,
        "md": _markdown,
        "junit": _junit,
        "github": _github,
    }
    return formats[format](result)


def summary(result: GateResult) -> str:
    """``gate: fail (4 rules: 2 pass, 1 fail, 1 undecided)``, and what undecided ones count as."""
    total, undecided = len(result.verdicts), result.number("undecided")
    counted = {"fail": ", which counts as fail", "pass": ", which counts as pass", "report": ""}
    return (
        f"gate: {result.outcome} ({total} verdict{'s' * (total != 1)}: {result.number('pass')} "
        f"pass, {result.number('fail')} fail, {undecided} undecided"
        f"{counted[result.undecided] * bool(undecided)})"
    )


def _text(result: GateResult) -> str:
    lines = [f"{MARKS[verdict.outcome]:<12} {verdict.line}" for verdict in result.verdicts]
    told = (
        *outcome_sentences(result),
        *lines,
        *_notices(result),
        *result.passed_over,
        summary(result),
    )
    return "".join(f"{printable(line)}\n" for line in told)


def verdict_table(result: GateResult) -> Table:
    """A row per verdict; what was passed over below."""
    rows = (
        (
            MARKS[v.outcome],
            v.subject,
            v.rule.text,
            f"{v.measured} ({v.why})" if v.why else v.measured,
        )
        for v in result.verdicts
    )
    table = list_of(("outcome", "model", "rule", "measured"), rows)
    notice = "; ".join(_notices(result)) or None
    return replace(
        table,
        title=summary(result),
        notes=result.passed_over,
        notice=notice,
        verdict=outcome_sentences(result),
    )


def _markdown(result: GateResult) -> str:
    lines = [f"### {plain(summary(result))}", ""]
    lines += [f"> **NOTICE: {plain(notice)}**\n" for notice in _notices(result)]
    table = verdict_table(result)
    lines += [*verdict_lines(table.verdict), *grid(table)]
    lines += [f"\n{plain(line)}" for line in result.passed_over]
    return "\n".join(lines) + "\n"


def _junit(result: GateResult) -> str:
    """One test case per verdict; an undecided one is skipped unless it counts as a failure."""
    counted = [result.counted(verdict) for verdict in result.verdicts]
    skipped = sum(
        verdict.outcome == "undecided" and outcome != "fail"
        for verdict, outcome in zip(result.verdicts, counted, strict=True)
    )
    suite = ElementTree.Element(
        "testsuite",
        name="facebench gate",
        tests=str(len(counted)),
        failures=str(counted.count("fail")),
        errors="0",
        skipped=str(skipped),
    )
    facts = ElementTree.SubElement(suite, "properties")
    said = _xml(" ".join(outcome_sentences(result)))
    ElementTree.SubElement(facts, "property", name="outcome", value=said)
    for verdict, outcome in zip(result.verdicts, counted, strict=True):
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(verdict.subject), name=_xml(verdict.rule.text)
        )
        if outcome == "fail":
            kind = "undecided" if verdict.outcome == "undecided" else "fail"
            ElementTree.SubElement(case, "failure", message=_xml(verdict.line), type=kind)
        elif verdict.outcome == "undecided":
            ElementTree.SubElement(case, "skipped", message=_xml(f"undecided: {verdict.line}"))
        ElementTree.SubElement(case, "system-out").text = _xml(_report(verdict))
    ElementTree.indent(suite, " ")
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _github(result: GateResult) -> str:
    """What it comes to, then workflow commands: error, warning (undecided), notice."""
    lines = [printable(line) for line in outcome_sentences(result)]
    for verdict in result.verdicts:
        counted = result.counted(verdict)
        command = {"fail": "error", "undecided": "warning", "pass": "notice"}[counted]
        if verdict.outcome == "undecided" and counted == "pass":
            command = "warning"
        title = _escaped(f"facebench gate: {verdict.outcome}", of_property=True)
        lines.append(f"::{command} title={title}::{_escaped(printable(_report(verdict)))}")
    title = _escaped("facebench gate: passed over", of_property=True)
    lines += [f"::notice title={title}::{_escaped(printable(x))}" for x in result.passed_over]
    lines.append(summary(result))
    return "\n".join(lines) + "\n"


def _report(verdict: Verdict) -> str:
    return f"{verdict.line} {verdict.notice}" if verdict.notice else verdict.line


def _notices(result: GateResult) -> list[str]:
    return list(dict.fromkeys(v.notice for v in result.verdicts if v.notice))


def _escaped(text: str, *, of_property: bool = False) -> str:
    """Text of a workflow command: what would end the line or the property is coded."""
    coded = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return coded.replace(":", "%3A").replace(",", "%2C") if of_property else coded


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))
