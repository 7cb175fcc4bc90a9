"""The page on leaderboards, and the workflow that publishes one."""

from __future__ import annotations

import shlex

import yaml

from facebench.cli.app import COMMANDS
from facebench.cli.build import build
from tests.docs.pages import CHECKOUT, blocks

PAGE, WORKFLOW = CHECKOUT / "docs/use/site.md", CHECKOUT / "docs/use/site.yml"


def test_the_page_shows_the_workflow_as_it_is() -> None:
    (shown,) = blocks(PAGE.read_text("utf-8"), "yaml")
    assert shown == WORKFLOW.read_text("utf-8")


def test_the_workflow_publishes_the_folder_that_its_command_writes() -> None:
    (job,) = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"].values()
    (line,) = (step["run"] for step in job["steps"] if "facebench site" in step.get("run", ""))
    words = shlex.split(line)[2:]
    command = build(COMMANDS, "site").commands["site"]
    context = command.make_context("site", words)
    uploaded = [s["with"]["path"] for s in job["steps"] if "pages-artifact" in s.get("uses", "")]
    assert uploaded == [str(context.params["output"])]
    assert job["environment"]["name"] == "github-pages"
