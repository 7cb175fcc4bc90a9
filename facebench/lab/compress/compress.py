"""The smallest network that passes: chosen on one half of the people, decided once on the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically, write_together
from facebench.evaluation.others import shared_people
from facebench.gate.judge import Judgement
from facebench.lab.compress.curve import (
    CandidatePoint,
    Drawn,
    gain_interval,
    points_of,
    write_curve_files,
)
from facebench.lab.compress.halves import Halves, halves_of
from facebench.lab.compress.ledger import Ledger
from facebench.lab.compress.looks import Candidacy, Looks
from facebench.lab.compress.moves import moves_for
from facebench.lab.compress.plan import CompressPlan
from facebench.lab.compress.search import CandidateSearch, Sizes, key_of_sizes
from facebench.lab.compress.verdict import (
    CHOSEN,
    Decision,
    decide_once,
    people_needed,
)
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    at_work,
    begin_folder,
    check_card,
    fingerprint,
    folder_of,
    name_unseen,
    own_notes,
    read_kept,
)
from facebench.lab.learning.learner import Machine
from facebench.models.cards.card import ModelCard, is_compact, read_card
from facebench.models.cards.publish import card_bytes
from facebench.models.cards.trained import packed_weights
from facebench.models.zoo import load_model
from facebench.protocols.cards import load_protocol
from facebench.protocols.run import prepare_run
from facebench.protocols.settings import Settings
from facebench.records.files import save_record
from facebench.records.record import Record

RESULTS = Path("reports") / "compress"


@dataclass(frozen=True)
class CompressRun:
    """A plan, the card that it starts from, and what it is carried out with.

    data: of the protocol, None: what is installed; lab: what trains between moves, None: nothing
    does; settings: of the evaluations; work: checkpoints; models, results: where the card and the
    report go.
    """

    plan: CompressPlan
    card: ModelCard
    data: str | Path | None = None
    lab: Laboratory | None = None
    settings: Settings = field(default_factory=lambda: Settings(store=False))
    work: Path = Path("training")
    models: Path = Path("models")
    results: Path = RESULTS
    machine: Machine = field(default_factory=Machine)
    overwrite: bool = False


@dataclass(frozen=True)
class Compressed:
    """What was found.

    card: of the smallest network that passed where it was chosen, None: none did; points: all that
    were looked at, the start first; decision: the one verdict, None: nothing was chosen; halves:
    the people of both, in words; told: what else there is to say; files: what was written.
    """

    plan: CompressPlan
    card: ModelCard | None
    points: tuple[CandidatePoint, ...]
    decision: Decision | None
    halves: str
    told: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def chosen(self) -> CandidatePoint | None:
        """The point of the network that was chosen."""
        return next((point for point in self.points if point.chosen), None)

    @property
    def candidates(self) -> int:
        """How many were looked at."""
        return len(self.points) - 1

    @property
    def outcome(self) -> Judgement:
        """That of the verdict; without one undecided, where any candidate was too hard to tell."""
        if self.decision is not None:
            return self.decision.outcome
        unsure = any(point.outcome == "undecided" for point in self.points)
        return "undecided" if unsure else "fail"


def compress(run: CompressRun) -> Compressed:
    """The smallest network, by the plan's objective, whose change stays within its rule.

    The protocol's people are cut in two. Candidates are looked at on the choosing half alone, under
    `plan.choosing_rule`; the smallest that passes gets one verdict of the rule itself on the
    deciding half. Its card and packed weights, the records of both halves, the candidates with
    their Pareto front and a gate file are written. What the work folder holds is not done again,
    and a verdict that was given is read, never given again. UserError: a start or protocol that
    cannot be, a card that would be overwritten.

    Examples
    --------
    >>> from facebench.lab.compress.compress import CompressRun, compress
    >>> from facebench.lab.compress.plan import CompressPlan
    >>> from facebench.models.cards.names import card_for
    >>> rule = "lfw.accuracy drop <= 5pt at 95%"
    >>> plan = CompressPlan("sparse_012", rule, "tiny", moves=("int8",))
    >>> run = CompressRun(plan, card_for("sparse_012"), data="~/lfw")
    >>> found = compress(run)  # doctest: +SKIP
    >>> found.outcome, found.chosen.share, found.candidates  # doctest: +SKIP
    """
    _check(run)
    prepared = prepare_run(load_protocol(str(run.plan.rule.protocol)), run.data, run.settings,
                           images=True)  # fmt: skip
    halves = halves_of(prepared, run.plan.seed)
    _require_others(run, halves.choosing.named_people | halves.deciding.named_people)
    settings = _settings(run, halves)
    check_card(run.models / f"{run.plan.model}.toml", settings, run.overwrite)
    folder = folder_of(run.work, run.plan.model, settings)
    report = run.machine.report
    with at_work(folder, report):
        begin_folder(folder, settings, run.lab.data.unseen if run.lab else (), report)
        looks = Looks(run.plan, run.card, folder, run.machine, run.lab, halves, run.settings,
                      fingerprint(settings))  # fmt: skip
        report(f"{halves.words} (seed {run.plan.seed})")
        looks.moves, told = moves_for(run.plan, looks.start, run.machine)
        told += looks.remarks
        for line in told:
            report(line)
        sizes = _chosen(looks)
        decision = _decided(run, looks, sizes) if sizes else None
        return _published(run, looks, sizes, decision, told)


def _check(run: CompressRun) -> None:
    card = run.card
    if card.architecture not in ("convnet", "python") and not is_compact(card):
        raise UserError(
            f"{run.plan.start}: is of kind {card.architecture}; networks of facebench's own and "
            "PyTorch networks, package.module:factory with --weights FILE, are made smaller here"
        )
    if run.plan.model == card.name:
        raise UserError(f"--name {card.name}: is the start's own; give the smaller one another")
    packed_weights(card)


def _require_others(run: CompressRun, tested: AbstractSet[str]) -> None:
    """UserError where the network would learn from people whom it is judged on, as far as names
    tell.
    """
    if run.lab is None:
        return
    learned = (crops for crops, _ in run.lab.data.sources)
    if shared := shared_people(tested, (name for crops in learned for name in crops.names)):
        raise UserError(
            f"--data: {len(shared):,} people of {run.plan.rule.protocol} are in it (first: "
            f"{shared[0]}); no verdict on people whom the network learns from is worth anything: "
            "give faces of others"
        )


def _settings(run: CompressRun, halves: Halves) -> dict[str, Any]:
    """What the chosen network depends on, as JSON."""
    return {
        **run.plan.settings,
        "from": run.card.sha256 if run.card.architecture != "python" else _code_of(run.card),
        "people": halves.choosing.comparisons.fingerprint,
        "faces": halves.choosing.faces.label,
        "learning": run.lab.settings if run.lab and run.plan.fine_tune else None,
    }


def _code_of(card: ModelCard) -> str:
    """A hash of a brought network's weights and of the code that it is made by."""
    return load_model(str(card.path)).weights_hash


def _chosen(looks: Looks) -> Sizes:
    """The sizes of the smallest candidate that passes, searched for where no verdict waits yet."""
    path = looks.folder / CHOSEN
    kept = read_kept(path, "sizes", "looked") if path.exists() else None
    if kept is not None:
        for sizes in kept["looked"]:
            looks.look(_sizes(sizes))
        return _sizes(kept["sizes"])
    rows = looks.base.comparisons.total
    most = {name: move.most for name, move in looks.moves.items()}
    search = CandidateSearch(most, looks.look, 1 / rows, looks.plan.candidates)
    sizes = search.run()
    told = {"sizes": sizes, "looked": [(), *search.looked]}
    write_atomically(path, json.dumps(told, indent=1).encode())
    return sizes


def _sizes(told: Sequence[Sequence[Any]]) -> Sizes:
    return tuple((str(name), int(size)) for name, size in told)


def _decided(run: CompressRun, looks: Looks, sizes: Sizes) -> Decision:
    half = looks.halves.deciding
    path = looks.looked[key_of_sizes(sizes)].path

    def evaluate() -> tuple[Record, Record]:
        models = {"start_decided": run.card.path, "chosen_decided": path}
        start, chosen = (looks.recorded(key, model, half) for key, model in models.items())
        return start, chosen

    return decide_once(run.plan.rule, looks.folder, Ledger.of(half), evaluate)


def _published(
    run: CompressRun, looks: Looks, sizes: Sizes, decision: Decision | None, told: list[str]
) -> Compressed:
    """Everything that stays: card, weights, records, curve, gate file."""
    plan, key = run.plan, key_of_sizes(sizes)
    looked = list(looks.looked.values())
    looked.sort(key=lambda one: one.key != "start")
    objectives = [looks.objective_of(one) for one in looked]
    points = points_of(looked, objectives, plan.rule.statistic, key if sizes else "")
    folder = run.results / plan.model
    card = _card(run, looks.looked[key], decision) if decision is not None else None
    found = Compressed(plan, card, tuple(points), decision, looks.halves.words, tuple(told))
    files = [folder / f"candidates.{end}" for end in ("csv", "json", "png")]
    write_curve_files(points, _facts(found), folder, _drawn(found, looked[0]))
    if card is not None and decision is not None:
        files += [save_record(one, folder / "decided") for one in (decision.record,)]
        files += [save_record(decision.base, folder / "baseline")]
        files += [save_record(looks.looked[key].record, folder / "chosen")]
        gate = folder / "gate.toml"
        write_atomically(gate, gate_text(found).encode())
        files = [card.path, *([card.weights_path] if card.weights_path else []), gate, *files]
        _tidy(looks)
    else:
        hint = _none_passed(plan, looked)
        found = replace(found, told=(*found.told, *hint))
    return replace(found, files=tuple(files))


def _card(run: CompressRun, one: Candidacy, decision: Decision) -> ModelCard:
    """The candidate's card and weights among the models, with the verdict in its notes."""
    candidate = read_card(one.path)
    assert candidate.weights_path is not None and candidate.weights is not None
    rule = decision.verdict
    notes = (
        f"{own_notes(candidate.notes)} Made by facebench compress: {one.key}. "
        f"{rule.rule.text}: {rule.outcome}, {rule.measured}, on people whom no choice has seen."
    ).strip()
    path = run.models / f"{run.plan.model}.toml"
    card = candidate.model_copy(update={"notes": notes})
    weights = run.models / candidate.weights
    files = {weights: candidate.weights_path.read_bytes(), path: card_bytes(card, path)}
    write_together(files)
    if run.lab is not None and run.plan.fine_tune:
        name_unseen(run.models, run.plan.model, run.lab.data)
    return read_card(path)


def _tidy(looks: Looks) -> None:
    """Delete the networks between: nothing is made of them after the verdict."""
    for path in sorted((looks.folder / "steps").glob("*.pt")):
        path.unlink()
    if (looks.folder / "steps").is_dir() and not any((looks.folder / "steps").iterdir()):
        (looks.folder / "steps").rmdir()


def _none_passed(plan: CompressPlan, looked: Sequence[Candidacy]) -> list[str]:
    """What to say where no candidate passed: how many people would do for the nearest one."""
    tried = [one for one in looked if one.verdict is not None]
    if not tried:
        return []
    nearest = min(tried, key=lambda one: one.points)
    needed = people_needed(plan.choosing, looked[0].record, nearest.record)
    return [f"nothing smaller passes; nearest was {nearest.key}", *([needed] if needed else [])]


def gate_text(found: Compressed) -> str:
    """Rules for `facebench gate`: the quality that was asked for, and the size that was reached."""
    assert found.chosen is not None and found.card is not None
    model = found.chosen
    sizes = {"bytes": model.bytes, "multiply-adds": model.multiply_adds}
    size = sizes.get(found.plan.objective)
    name = found.plan.objective.replace("-", "_")
    rules = [found.plan.rule.text, *([f"{name} <= {size}"] if size else [])]
    lines = "".join(f"    {json.dumps(rule)},\n" for rule in rules)
    protocol = found.plan.rule.protocol
    return (
        f"# What {found.card.name} was made to meet by facebench compress, against its parent\n"
        f"# {found.card.parent}: facebench gate {found.card.name} --baseline {found.card.parent} "
        f"-p {protocol} --rules FILE\n"
        f"# On all of {protocol} half of the people are those whom it was chosen on.\n"
        f'rules = [\n{lines}]\nundecided = "report"\n'
    )


def _facts(found: Compressed) -> dict[str, Any]:
    """What the JSON says beside the candidates."""
    decision = found.decision
    facts: dict[str, Any] = {
        "model": found.plan.model,
        "start": found.plan.start,
        "until": found.plan.rule.text,
        "objective": found.plan.objective,
        "halves": found.halves,
        "looked_at": found.candidates,
        "choosing_level": found.plan.choosing.level,
        "outcome": found.outcome,
        "verdict": None,
    }
    if decision is not None:
        verdict = decision.verdict
        facts["verdict"] = {
            "outcome": verdict.outcome,
            "measured": verdict.measured,
            "why": verdict.why,
            "earlier_verdicts_on_these_people": decision.earlier.same,
            "earlier_verdicts_on_some_of_them": decision.earlier.some,
            "at_most_in_common": decision.earlier.share,
            "people_needed": decision.needed,
            "notice": verdict.notice,
        }
    return facts


def _drawn(found: Compressed, start: Candidacy) -> Drawn:
    rule, decision = found.plan.rule, found.decision
    worst = rule.bound if rule.change is not None else None
    decided = None
    if decision is not None:
        paired = decision.paired
        decided = (paired.gain, *gain_interval(paired))
    outcome = found.outcome if decision else "nothing passed"
    return Drawn(
        f"{found.plan.model}: {rule.text}: {outcome}", found.plan.objective,
        f"{rule.protocol} {rule.statistic}", decided, worst, start.record.data.kind != "real",
    )  # fmt: skip
