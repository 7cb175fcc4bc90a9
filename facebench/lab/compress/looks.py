"""Candidates: made from one another step by step, written, and looked at on the choosing half."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.base.validation import validated
from facebench.comparison.paired import Paired, paired_statistics
from facebench.evaluation.evaluate import evaluate_prepared
from facebench.gate.judge import RECORD_LEVEL, Verdict, gated
from facebench.gate.rules import Rule, Rules
from facebench.lab.compress.brought import publish_brought
from facebench.lab.compress.halves import Halves
from facebench.lab.compress.moves import CompressMove, packed_dtype
from facebench.lab.compress.piece import Piece
from facebench.lab.compress.plan import CompressPlan
from facebench.lab.compress.search import Look, Sizes, key_of_sizes, size_of
from facebench.lab.filters.groups import filter_counts, find_groups
from facebench.lab.filters.latency import latencies
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import read_kept
from facebench.lab.learning.learner import Learner, Machine
from facebench.lab.learning.own_input import OwnInput
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.shapes import LAYERS, module_name
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_compact, publish_weights, write_card
from facebench.models.weights.packed import Values
from facebench.protocols.kinds.verification import PreparedVerification
from facebench.protocols.settings import Settings
from facebench.records.files import read_record, save_record
from facebench.records.record import Record

START, TOLD = "start.pt", "look.json"


@dataclass(frozen=True)
class Candidacy:
    """A candidate that was looked at, or the network at its beginning.

    key: what was done (`key_of_sizes`); record: on the choosing half; verdict: of the choosing
    rule; paired: the rule's statistic against the start, at that rule's level, None: of the start;
    latency: milliseconds of one face over those of the start in the same run, None: not asked for;
    path: of its card.
    """

    key: str
    record: Record
    path: Path
    verdict: Verdict | None = None
    paired: Paired | None = None
    latency: float | None = None

    @property
    def points(self) -> float:
        """What was lost against the start, a share."""
        return 0.0 if self.paired is None else -self.paired.gain

    @property
    def passes(self) -> bool:
        """Whether it may be chosen."""
        return self.verdict is None or self.verdict.outcome == "pass"


@dataclass
class Looks:
    """What a search looks at: candidates in folders of ``folder``, each made and evaluated once."""

    plan: CompressPlan
    card: ModelCard
    folder: Path
    machine: Machine
    lab: Laboratory | None
    halves: Halves
    settings: Settings
    fingerprint: str
    moves: Mapping[str, CompressMove] = field(default_factory=dict)
    looked: dict[str, Candidacy] = field(default_factory=dict)

    @property
    def brought(self) -> bool:
        """Whether the network is a user's own code."""
        return self.card.architecture == "python"

    @property
    def remarks(self) -> list[str]:
        """What is to be said of what is made small."""
        size = self.base.model.packed_bytes if self.brought else None
        if self.plan.objective != "bytes" or size is None:
            return []
        return [f"bytes are those of packed files; the start's would be {size:,}, in float16"]

    @cached_property
    def start(self) -> Piece:
        """The whole network, with its learner."""
        path = self.folder / START
        if not path.exists():
            Piece.of(self.card, self.lab, self.plan.seed).save(path)
        return self._read(path)

    @cached_property
    def base(self) -> Record:
        """The whole network on the choosing half."""
        return self.recorded("start", self.card.path, self.halves.choosing)

    def look(self, sizes: Sizes) -> Look:
        """Look at a candidate: made, written and evaluated where it was not yet."""
        key = key_of_sizes(sizes)
        if key not in self.looked:
            self.looked[key] = self._candidacy(key, sizes)
            self.machine.report(self._words(self.looked[key]))
        found = self.looked[key]
        return Look(self.objective_of(found), found.points, found.passes)

    def objective_of(self, one: Candidacy) -> float:
        """What is made small."""
        if self.plan.objective == "latency":
            return 1.0 if one.latency is None else one.latency
        model = one.record.model
        value = model.bytes if self.plan.objective == "bytes" else model.multiply_adds
        if self.plan.objective == "bytes" and one.key == "start" and self.brought:
            value = model.packed_bytes or value  # as candidates are: its own file is in float32
        if value is None:
            raise UserError(f"{model.id}: its {self.plan.objective} are not known")
        return float(value)

    def _candidacy(self, key: str, sizes: Sizes) -> Candidacy:
        if not sizes:
            return Candidacy(key, self.base, self.card.path)
        card = self._written(key, sizes)
        record = self.recorded(key, card, self.halves.choosing)
        rule = self.plan.choosing
        (paired,) = paired_statistics(
            self.base, record, [rule.statistic], level=rule.level or RECORD_LEVEL
        )
        return Candidacy(
            key, record, card, judged(rule, self.base, record), paired,
            self._latency(key, sizes),
        )  # fmt: skip

    def recorded(self, key: str, model: Path, half: PreparedVerification) -> Record:
        """A record on one of the halves, kept in the folder of that key."""
        path = self.folder / key / TOLD
        if path.exists():
            told = read_kept(path, "record")
            return read_record(self.folder / key / str(told["record"]))
        record = evaluate_prepared(model, half, self.settings)
        where = save_record(record, self.folder / key)
        told = {"record": str(where.relative_to(self.folder / key))}
        write_atomically(path, json.dumps(told).encode())
        return read_record(where)

    def _latency(self, key: str, sizes: Sizes) -> float | None:
        if self.plan.objective != "latency":
            return None
        path = self.folder / key / "latency.json"
        if not path.exists():
            nets = [self.start.net, self.piece(sizes).net]
            size = self.card.preprocessing.size
            assert size is not None
            whole, own = latencies(nets, size, repeats=101)
            write_atomically(path, json.dumps({"ratio": own.median / whole.median}).encode())
        return float(read_kept(path, "ratio")["ratio"])

    def _words(self, one: Candidacy) -> str:
        verdict = one.verdict
        if verdict is None:
            return f"{self.card.name}: {self.plan.objective} {self._shown(one)}"
        whole = self.looked.get("start")
        share = self.objective_of(one) / self.objective_of(whole) if whole else float("nan")
        return (
            f"{one.key}: {self.plan.objective} {self._shown(one)} ({share:.1%}), "
            f"{verdict.measured} at {_percent(verdict.rule.level)}: {verdict.outcome}"
        )

    def _shown(self, one: Candidacy) -> str:
        value = self.objective_of(one)
        return f"{value:.3f}" if self.plan.objective == "latency" else f"{value:,.0f}"

    def piece(self, sizes: Sizes) -> Piece:
        """The network after some moves, trained after each of their steps."""
        network = tuple((name, size) for name, size in sizes if self.moves[name].trains)
        return self._read(self._step_file(_joined(network)))

    def _step_file(self, sizes: Sizes) -> Path:
        """The file of a network, made from that of one step before where it is not there."""
        if not sizes:
            _ = self.start
            return self.folder / START
        path = self.folder / "steps" / f"{key_of_sizes(sizes)}.pt"
        if not path.exists():
            name, size = sizes[-1]
            before = sizes[:-1]
            if size - 1 > size_of(before, name):
                before = (*before, (name, size - 1))
            piece = self._read(self._step_file(before))
            seed = 2 * (self.plan.seed * 10_007 + 101 * size + sum(map(ord, key_of_sizes(sizes))))
            self.moves[name].step(piece, size, seed)
            self._train(piece, path, seed + 1)
            piece.save(path)
        return path

    def _train(self, piece: Piece, path: Path, seed: int) -> None:
        """Mini-batches after a step, where there are faces; what was begun is continued."""
        learner, steps = piece.learner, self.plan.fine_tune
        if learner is None or not steps:
            return
        folder = path.with_suffix("")
        # Read back even when just made: the order of values in memory decides the last digit.
        made = folder / "made.pt"
        if made.exists():
            learner.load(made)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            piece.save(made)
        if isinstance(learner, Learner):
            learner.learn("retrain", folder, self.machine, seed, steps)
        else:
            learner.learn("retrain", folder, self.machine, seed, steps, compiled=False)
        piece.settle()
        piece.save(path)
        shutil.rmtree(folder)

    def _read(self, path: Path) -> Piece:
        return Piece.load(path, self.card, self.lab, self.plan.seed)

    def _written(self, key: str, sizes: Sizes) -> Path:
        """The card of a candidate, of the final name, in a folder of its own."""
        folder = self.folder / key
        path = folder / f"{self.plan.model}.toml"
        if (folder / "weights" / f"{self.plan.model}.safetensors").exists() and path.exists():
            card = read_card(path)
            if card.sha256 is not None:
                return path
        piece = self.piece(sizes)
        dtype: Values = "int8" if size_of(sizes, "int8") else "float16"
        if packed_dtype(self.card) == "int8":
            dtype = "int8"
        self._publish(piece, folder, sizes, dtype)
        return path

    def _publish(self, piece: Piece, folder: Path, sizes: Sizes, dtype: Values) -> None:
        name, start = self.plan.model, self.card
        training = self._training(sizes)
        fields: dict[str, Any] = {
            "title": f"{start.title}, made smaller by {_done(sizes)}",
            "licence": self.plan.licence or start.licence,
        }
        removed = start.filters_removed or 0.0
        if size_of(sizes, "filters"):
            whole = self._filters(self.start)
            removed = 1 - (1 - removed) * self._filters(piece) / whole
        if isinstance(piece.net, OwnInput):
            publish_brought(
                name, piece.net, start, training, folder, dtype, removed or None, fields
            )
            return
        if isinstance(piece.net, CompactNet):
            card = publish_compact(
                name, piece.net, training, folder, start.name, removed or None, dtype=dtype,
                masks=piece.masks, **fields,
            )  # fmt: skip
            write_card(card.model_copy(update={"preprocessing": start.preprocessing}), card.path)
            return
        shares = {
            layer: Fraction(int(mask.sum()), mask.numel())
            for layer in LAYERS
            if (mask := piece.masks.get(module_name(layer))) is not None
        }
        kept = start.model_dump(
            exclude_none=True,
            exclude={"metric", "projection", "weights", "sha256", "source", "notes", "training"},
        )
        sparsity = {layer: f"{float(share):.6g}" for layer, share in shares.items()}
        own = {"name": name, "parent": start.name, "sparsity": sparsity, **fields}
        where = folder / f"{name}.toml"
        write_card(validated(ModelCard, kept | own, str(where)), where)
        state = piece.net.state_dict()
        publish_weights(name, state, piece.masks, training, folder, dtype)

    def _filters(self, piece: Piece) -> int:
        assert isinstance(piece.net, (CompactNet, OwnInput))
        return sum(filter_counts(find_groups(piece.net, piece.net.input_size)).values())

    def _training(self, sizes: Sizes) -> Any:
        steps = sum(step_count(sizes, self.moves).values())
        told = f"facebench compress: {_done(sizes)}"
        if self.lab is None or not self.plan.fine_tune:
            own = self.card.training
            recipe = f"{own.recipe} {told}, no training after it".strip()
            return own.model_copy(update={"recipe": recipe, "fingerprint": self.fingerprint})
        learnt, batches = self.lab.recipe, self.plan.fine_tune * steps
        words = f"{told}, {batches} mini-batches of {learnt.faces_per_step} faces; {learnt.title}"
        return self.lab.training(words, batches * learnt.faces_per_step, self.fingerprint)


def judged(rule: Rule, base: Record, record: Record) -> Verdict:
    """What a gate says of one rule."""
    return gated(Rules((rule,)), [base], [record]).verdicts[0]


def step_count(sizes: Sizes, moves: Mapping[str, CompressMove]) -> dict[str, int]:
    """Steps that were made of each move that is trained after."""
    return {name: size_of(sizes, name) for name, _ in sizes if moves[name].trains}


def _joined(sizes: Sizes) -> Sizes:
    """Without what stands between two sizes of one move and changes no network, e.g. int8."""
    found: Sizes = ()
    for name, size in sizes:
        found = (*(found[:-1] if found and found[-1][0] == name else found), (name, size))
    return found


def _done(sizes: Sizes) -> str:
    """``filters (4 steps), connections (2 steps) and int8``."""
    parts: list[str] = []
    before: dict[str, int] = {}
    for name, size in sizes:
        count = size - before.get(name, 0)
        before[name] = size
        parts.append(name if name == "int8" else f"{name} ({count} step{'s' * (count > 1)})")
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else "nothing"


def _percent(level: float | None) -> str:
    return "–" if level is None else f"{100 * level:.3g}%"
