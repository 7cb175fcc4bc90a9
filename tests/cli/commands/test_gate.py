"""``facebench gate``: exit codes, formats, baselines, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facebench.base.vocabulary import MOST_DRAWS
from facebench.records.files import read_record, save_record
from tests.cli.conftest import Run
from tests.comparison.test_compare import changed
from tests.helpers.record_folders import save_three
from tests.helpers.records import drawn_record

RULE = "lfw.accuracy drop <= {}pt at 95%"


@pytest.fixture
def records(work: Path) -> dict[str, Path]:
    return save_three(work / "kept")


def rules(*texts: str, undecided: str = "report") -> Path:
    path = Path("gates.toml")
    path.write_text(f"undecided = {undecided!r}\nrules = {json.dumps(texts)}\n")
    return path


def test_the_exit_code_is_the_outcome(run: Run, records: dict[str, Path]) -> None:
    def gate(bound: str, model: str, *more: str) -> int:
        path = rules(RULE.format(bound))
        return run("gate", "-b", records["base"], "--rules", path, records[model], *more).code

    assert gate("0.3", "base") == 0
    assert gate("0.3", "worse") == 1
    assert gate("0.3", "as_good") == 3
    assert gate("0.3", "as_good", "--undecided", "fail") == 1
    assert gate("0.3", "as_good", "--undecided", "pass") == 0
    assert gate("15", "as_good") == 0


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("text", "✗ FAIL       worse: lfw.accuracy drop <= 0.3pt at 95%: −"),
        ("md", "| ✗ FAIL | worse |"),
        ("junit", '<testsuite name="facebench gate" tests="1" failures="1"'),
        ("github", "::error title=facebench gate%3A fail::worse"),
    ],
)
def test_formats(run: Run, records: dict[str, Path], format: str, said: str) -> None:
    arguments = ("gate", "-b", records["base"], "--rules", rules(RULE.format("0.3")))
    result = run(*arguments, records["worse"], "--format", format)
    assert result.code == 1 and result.err == "" and said in result.out
    written = run(*arguments, records["worse"], "--format", format, "-o", "out.txt")
    assert written.code == 1 and written.out == ""
    assert Path("out.txt").read_text() == result.out


def test_other_formats_are_written_beside_the_result(run: Run, records: dict[str, Path]) -> None:
    arguments = ("gate", "-b", records["base"], "--rules", rules(RULE.format("0.3")))
    files = ("--junit", "gate.xml", "--markdown", "gate.md")
    result = run(*arguments, records["worse"], "--format", "github", *files)
    assert result.code == 1 and "\n::error" in result.out
    for format, path in (("junit", "gate.xml"), ("md", "gate.md")):
        alone = run(*arguments, records["worse"], "--format", format)
        assert Path(path).read_text() == alone.out
    same = run(*arguments, records["worse"], "--junit", "one", "--markdown", "./one")
    assert same.code == 2 and "--junit and --markdown must be different files" in same.line
    absent = run(*arguments, records["worse"], "--junit", "none/x")
    assert absent.code == 2 and "--junit none/x: there is no folder none" in absent.line


def test_two_similarities_of_one_model_are_named(run: Run, records: dict[str, Path]) -> None:
    joint = changed(read_record(records["base"]), similarity="joint-bayesian(0123456789ab)")
    path = save_record(joint, Path("joint"))
    rule = rules("lfw.accuracy >= 0.5")
    text = run("gate", "--rules", rule, records["base"], path).out.splitlines()
    assert text[1].startswith("✓ pass       base (cosine): lfw.accuracy >= 0.5: ")
    assert text[2].startswith("✓ pass       base (joint-bayesian): lfw.accuracy >= 0.5: ")
    alone = run("gate", "--rules", rule, path, records["worse"])
    assert alone.out.splitlines()[1].startswith("✓ pass       base: lfw.accuracy >= 0.5: ")


@pytest.mark.parametrize("name", ["file.txt", "base.v2", "new.JSON"])
def test_a_baseline_is_json_or_a_folder(run: Run, records: dict[str, Path], name: str) -> None:
    result = run("gate", "-b", name, "--update", "--reason", "x", records["base"])
    assert result.code == 2
    assert f"--baseline {name}: is neither a .json file nor a folder; write" in result.line
    assert sorted(path.name for path in Path().iterdir()) == ["kept", "tiny_model.py"]
    Path(name).mkdir()
    assert run("gate", "-b", name, "--update", "--reason", "x", records["base"]).code == 0


def test_nothing_is_drawn(run: Run, records: dict[str, Path]) -> None:
    """An option without effect would mislead."""
    rule, base = rules(RULE.format("0.3")), records["base"]
    for option in ("--draws", "--seed"):
        result = run("gate", "--rules", rule, "-b", base, base, option, 100)
        assert result.code == 2 and option in result.line
    for draws in (MOST_DRAWS + 1, 10**9):
        result = run("eval", "-m", "tiny_model:make", "-p", "lfw", "--draws", draws)
        assert "invalid value for '--draws'" in result.line and f"{MOST_DRAWS}" in result.line


def test_folders_and_names(run: Run, records: dict[str, Path]) -> None:
    path = rules(RULE.format("40"), "bytes <= 30MB")
    folder = run("gate", "-b", records["base"], "--rules", path, "kept")
    assert folder.code == 0 and folder.out.count("✓ pass") == 6
    named = run("gate", "-b", "base", "--rules", path, "worse", "--records", "kept")
    assert named.code == 0 and named.out.count("✓ pass") == 2
    without = run("gate", "--rules", rules("bytes <= 30MB"), records["worse"])
    assert without.code == 0


def test_update_moves_a_baseline_with_a_reason(run: Run, records: dict[str, Path]) -> None:
    first = run("gate", "-b", "baselines", "--update", "--reason", "first", records["base"])
    assert first.code == 0 and first.out.startswith("baselines/lfw.json: new → "), first.err
    path = rules(RULE.format("0.3"))
    assert run("gate", "-b", "baselines", "--rules", path, records["worse"]).code == 1
    moved = run("gate", "-b", "baselines", "--update", "--reason", "known", records["worse"])
    assert moved.code == 0
    assert run("gate", "-b", "baselines", "--rules", path, records["worse"]).code == 0
    notes = Path("baselines/lfw.moves.jsonl").read_text().splitlines()
    assert [json.loads(note)["reason"] for note in notes] == ["first", "known"]


@pytest.mark.parametrize("choice", ["report", "pass", "fail"])
def test_lost_scores_are_wrong_input_whatever_undecided_is(
    run: Run, records: dict[str, Path], choice: str
) -> None:
    for path in Path("kept").rglob("worse*.safetensors"):
        path.unlink()
    rule = rules(RULE.format("0.3"), undecided=choice)
    result = run("gate", "-b", records["base"], "--rules", rule, records["worse"])
    assert result.code == 2 and "the scores of worse, worse-" in result.line
    result = run("gate", "-b", records["worse"], "--rules", rule, records["base"])
    assert result.code == 2 and "are not beside its record" in result.line


def test_a_baseline_moves_to_synthetic_faces_only_when_asked(
    run: Run, records: dict[str, Path]
) -> None:
    twin = save_record(drawn_record("twin", kind="synthetic", per_kind=60, draws=0), Path("two"))
    update = ("gate", "-b", "baselines", "--update", "--reason", "x")
    assert run(*update, records["base"]).code == 0
    result = run(*update, twin)
    assert result.code == 2 and "real faces against synthetic ones" in result.line
    assert run(*update, twin, "--other-data").code == 0
    alone = run("gate", "--rules", rules("bytes <= 30MB"), twin, "--other-data")
    assert alone.code == 2 and "--other-data is of --update" in alone.line


def test_markdown_is_added_to_the_summary_and_destroys_no_text(
    run: Run, records: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ("gate", "--rules", rules("bytes <= 30MB"), records["base"])
    shown = run(*gate, "--format", "md").out
    notes = Path("README.md")
    notes.write_text("# Mine\nline")
    refused = run(*gate, "--markdown", notes)
    assert refused.code == 2 and "holds other text than a gate's" in refused.line
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(notes.absolute()))
    assert "added to: README.md" in run(*gate, "--markdown", notes).err
    assert notes.read_text() == f"# Mine\nline\n\n{shown}"
    assert run(*gate, "--format", "md", "-o", notes).code == 0
    assert notes.read_text() == f"# Mine\nline\n\n{shown}\n{shown}"
    for _ in range(2):  # its own is replaced
        assert run(*gate, "--markdown", "own.md").code == 0
    assert Path("own.md").read_text() == shown


def test_outputs_are_checked_before_the_work(
    run: Run, records: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ("gate", "--rules", rules("bytes <= 30MB"), "none.json")  # read only after the check
    for option in ("-o", "--junit", "--markdown"):
        for path, said in (
            ("none/x", "there is no folder none"),
            ("kept", "is a folder; name a file"),
            ("/dev/full", "is not a plain file"),
        ):
            assert said in run(*gate, option, path).line
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "kept")
    assert "nothing can be written in kept: Permission" in run(*gate, "--junit", "kept/x").line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is a JSON list, not one record; give one that `facebench eval --out FOLDER`"),
        ('"x"', "is a JSON text, no record"),
        ("3", "is a JSON number, no record"),
        ("null", "is a JSON null, no record"),
        ("{}", "is JSON, but no record (it has none …)"),
        ('{"name": "x", "version": 1}', "is JSON, but no record (it has 'name', 'version' …)"),
    ],
)
def test_json_that_is_no_record_says_what_it_is(
    run: Run, records: dict[str, Path], text: str, said: str
) -> None:
    Path("other.json").write_text(text)
    for result in (
        run("gate", "--rules", rules("bytes <= 30MB"), "other.json"),
        run("compare", records["base"], "other.json"),
        run("report", "run", "other.json"),
    ):
        assert result.code == 2 and f"other.json: {said}" in result.line
    listed = f"[{records['base'].read_text()}]"
    Path("list.json").write_text(listed)
    result = run("gate", "--rules", rules("bytes <= 30MB"), "list.json")
    assert "is a JSON list of records, not one record" in result.line


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("lfw.acuracy drop <= 0.3pt", "no statistic 'acuracy'; did you mean 'accuracy'?"),
        ("lfv.accuracy >= 0.9", "no record of 'lfv' was given; did you mean 'lfw'?"),
        ("lfw.rank-1 >= 0.5", "rule 'lfw.rank-1 >= 0.5': records of lfw have no 'rank-1'"),
        ("lfw.accuracy", "cannot be read; write e.g."),
        ("bytes <= 0 of baseline", "rule 'bytes <= 0 of baseline': 0 of baseline is 0, whatever"),
        ("lfw.accuracy >= 1.9 of baseline", "is more than 100 %, which no model reaches; write at"),
    ],
)
def test_a_rule_that_names_no_statistic_is_one_line(
    run: Run, records: dict[str, Path], rule: str, said: str
) -> None:
    result = run("gate", "-b", records["base"], "--rules", rules(rule), records["worse"])
    assert result.code == 2 and said in result.line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kept",), "name the rules with --rules"),
        (("kept", "--rules", "none.toml"), "none.toml: cannot be read"),
        (("kept", "--rules", "gates.toml"), "needs a baseline: name it with --baseline"),
        (("none.json", "--rules", "gates.toml", "-b", "kept"), "none.json: cannot be read"),
        (("kept", "--rules", "gates.toml", "-b", "kept"), "3 baselines of lfw fit"),
        (("nobody", "--rules", "gates.toml", "-b", "kept"), "no record of 'nobody'"),
        (("kept", "--rules", "gates.toml", "--reason", "x"), "--reason is of --update"),
        (("kept", "--update"), "--update needs one --baseline"),
        (("kept", "--update", "-b", ""), "--update needs one --baseline"),
        (("kept", "--update", "-b", "gates.toml/x", "--reason", "x"), "gates.toml is not a folder"),
        (("kept", "--rules", "gates.toml", "-b", ""), "no record of ''; name its file"),
        (("kept", "--update", "-b", "bases"), "moved with a reason"),
        (("kept", "--update", "-b", "bases", "--reason", "x"), "would be the same baseline"),
        (("kept", "--update", "-b", "bases", "--rules", "gates.toml"), "leave --rules out"),
        (("kept", "--update", "-b", "bases", "--junit", "x.xml"), "--update has no result"),
        (("kept", "--rules", "gates.toml", "--undecided", "fial"), "did you mean 'fail'"),
        (("kept", "--rules", "gates.toml", "-o", "none/x"), "there is no folder none"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    run: Run, records: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    rules(RULE.format("0.3"))
    result = run("gate", *arguments)
    assert result.code == 2
    assert said in result.line
    assert not Path("bases").exists()


def test_bad_records_are_one_line_and_code_2(run: Run, records: dict[str, Path]) -> None:
    path, text = rules(RULE.format("0.3")), records["worse"].read_text()
    for content, said in (
        (text[:500], "not a complete JSON record"),
        (text.replace('"schema_version": 2', '"schema_version": 7'), "schema version 7"),
    ):
        Path("wrong.json").write_text(content)
        for given in (("-b", records["base"], "wrong.json"), ("-b", "wrong.json", "kept")):
            result = run("gate", "--rules", path, *given)
            assert result.code == 2 and said in result.line
    other = save_record(drawn_record("twin", kind="synthetic", per_kind=60, draws=0), Path("two"))
    result = run("gate", "--rules", path, "-b", records["base"], other)
    assert result.code == 2 and "never compared" in result.line
    shorter = save_record(drawn_record("short", per_kind=20, draws=0), Path("three"))
    result = run("gate", "--rules", path, "-b", records["base"], shorter)
    assert result.code == 2 and "signatures differ in list of comparisons" in result.line


def test_a_folder_is_judged_by_the_newest_record_of_each_model(run: Run, work: Path) -> None:
    """As a name is: what a model was before it was retrained is named once, and not judged."""
    Path("rules.toml").write_text('rules = ["lfw.accuracy >= 0.9"]\n')
    for day, strength in ((1, 1.0), (2, 6.0)):
        made = drawn_record(
            "m",
            strength=strength,
            per_kind=20,
            draws=0,
            created=f"2026-01-0{day}T00:00:00+00:00",
            weights=f"{day}" * 64,
        )
        path = save_record(made, Path("kept"))
        if day == 1:
            old = path
    by_folder = run("gate", "kept", "--rules", "rules.toml")
    assert by_folder.code == 0 and by_folder.out.count("passed over: m on lfw") == 1
    by_name = run("gate", "m", "--records", "kept", "--rules", "rules.toml")
    assert by_name.code == 0 and by_name.out.splitlines()[0] == by_folder.out.splitlines()[0]
    assert run("gate", old, "--rules", "rules.toml").code == 1


def test_a_model_that_was_not_evaluated_on_a_rules_protocol_fails(run: Run, work: Path) -> None:
    """An evaluation of two models was cut short after the first."""
    Path("rules.toml").write_text('rules = ["calfw.accuracy >= 0.6"]\n')
    one = drawn_record("one", per_kind=20, draws=0)
    calfw = one.protocol.model_copy(update={"name": "calfw"})
    save_record(changed(one, protocol=calfw), Path("kept"))
    save_record(drawn_record("two", per_kind=20, draws=0), Path("kept"))
    result = run("gate", "kept", "--rules", "rules.toml")
    assert result.code == 1
    assert "FAIL       two: calfw.accuracy >= 0.6: no record of calfw" in result.out
