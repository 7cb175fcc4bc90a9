"""A gate's verdicts in every format, with names that would break each."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from facebench.gate.formats import render_gate, summary
from facebench.gate.judge import GateResult, Verdict
from facebench.gate.rules import Undecided, parse_rule

RULE = parse_rule("lfw.accuracy drop <= 0.3pt at 95%", "here")
NAME = "a|b <script>&\x01 100%\n::error::x"


def result(undecided: Undecided = "report") -> GateResult:
    return GateResult(
        (
            Verdict(RULE, NAME, "fail", "−1.00 pt [−1.5, −0.5]", notice="SYNTHETIC FACES"),
            Verdict(RULE, "two", "undecided", "−0.2 pt", "too few"),
            Verdict(RULE, "three", "pass", "+0.0 pt"),
        ),
        undecided,
    )


def test_text_has_a_line_per_verdict_and_a_summary() -> None:
    lines = render_gate(GateResult(result().verdicts[1:], "report"), "text").splitlines()
    assert lines == [
        "UNDECIDED: 1 of 2 models leaves a rule undecided: two, lfw.accuracy drop <= 0.3pt at 95%: "
        "−0.2 pt (too few).",
        "Pass: three.",
        "? undecided  two: lfw.accuracy drop <= 0.3pt at 95%: −0.2 pt (too few)",
        "✓ pass       three: lfw.accuracy drop <= 0.3pt at 95%: +0.0 pt",
        "gate: undecided (2 verdicts: 1 pass, 0 fail, 1 undecided)",
    ]
    assert "SYNTHETIC FACES" in render_gate(result(), "text")


def test_the_same_model_with_two_similarities_is_told_apart_in_every_format() -> None:
    both = tuple(
        Verdict(RULE, "a.b", "pass", "+0.0 pt", settings=kind) for kind in ("cosine", "joint|x")
    )
    found = GateResult(both, "report")
    text = render_gate(found, "text").splitlines()
    assert text[0] == "PASS: both models hold their rules: a.b (cosine) and a.b (joint|x)."
    assert text[1].split(": ")[0] == "✓ pass       a.b (cosine)"
    assert text[2].split(": ")[0] == "✓ pass       a.b (joint|x)"
    assert "| a.b (cosine) |" in render_gate(found, "md")
    assert "| a.b (joint\\|x) |" in render_gate(found, "md")
    cases = ElementTree.fromstring(render_gate(found, "junit").encode()).findall("testcase")
    assert [case.attrib["classname"] for case in cases] == ["a.b (cosine)", "a.b (joint|x)"]
    assert "a.b (cosine): lfw.accuracy" in (cases[0].findtext("system-out") or "")
    github = render_gate(found, "github").splitlines()
    assert github[1].startswith("::notice title=facebench gate%3A pass::a.b (cosine): lfw.acc")


def test_the_summary_says_what_undecided_counts_as() -> None:
    assert "1 undecided, which counts as fail" in summary(result("fail"))
    assert "1 undecided, which counts as pass" in summary(result("pass"))


def test_markdown_is_one_table_whatever_the_names() -> None:
    text = render_gate(result(), "md")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 5  # heading, rule, three verdicts
    assert "<script>" not in text and "a\\|b" in text
    assert "> **NOTICE: SYNTHETIC FACES**" in text
    assert text.index("\n**FAIL: 1 of 3 models breaks a rule") < text.index("| outcome")


@pytest.mark.parametrize(
    ("undecided", "failures", "skipped"), [("report", 1, 1), ("fail", 2, 0), ("pass", 1, 1)]
)
def test_junit_is_xml_that_counts_right(undecided: Undecided, failures: int, skipped: int) -> None:
    root = ElementTree.fromstring(render_gate(result(undecided), "junit").encode())
    assert root.attrib["tests"] == "3"
    assert root.attrib["failures"] == str(failures) == str(len(root.findall(".//failure")))
    assert root.attrib["skipped"] == str(skipped) == str(len(root.findall(".//skipped")))
    said = root.find("properties/property[@name='outcome']")
    assert said is not None and said.attrib["value"].startswith("FAIL: ")
    case = root.find("testcase")
    assert case is not None and "<script>" in case.attrib["classname"]
    assert "SYNTHETIC FACES" in (case.findtext("system-out") or "")


def test_github_annotations_are_one_line_each() -> None:
    first, other, *lines = render_gate(result(), "github").splitlines()
    assert first.startswith("FAIL: 1 of 3 models breaks a rule: a|b") and "−1.00 pt" in first
    assert other == "Undecided: two; pass: three."
    assert [line.split(" ")[0] for line in lines[:3]] == ["::error", "::warning", "::notice"]
    assert len(lines) == 4
    assert "100%25 : :error::x" in lines[0]
    assert lines[0].startswith("::error title=facebench gate%3A fail::")
    assert render_gate(result("pass"), "github").splitlines()[3].startswith("::warning")
    assert render_gate(result("fail"), "github").splitlines()[3].startswith("::error")
