"""A gate as people ask for it: records, baselines and rules by name, file or folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import MappingProxyType, NoneType

from facebench.base.errors import UserError, nearest
from facebench.base.options import listed, require
from facebench.gate.judge import GateResult, gated
from facebench.gate.rules import Rules, Undecided, parse_rules, read_rules
from facebench.protocols.cards import split_name
from facebench.records.find import Named, is_file, named_in, records_in, several
from facebench.records.newest import newest_in, passed_over_line
from facebench.records.record import Record

Some = Named | Sequence[Named]
Groups = Mapping[str, Sequence[str]]
NO_GROUPS: Groups = MappingProxyType({})
GivenRules = str | PathLike[str] | Sequence[str]


def judge(
    records: Some,
    rules: GivenRules,
    baseline: Some = (),
    *,
    undecided: Undecided | None = None,
    protocol: str | Sequence[str] | None = None,
    found_in: Sequence[Path] = (),
    model: str | None = None,
) -> GateResult:
    """Pass or fail models by rules: what ``facebench gate`` does, without ending the program.

    Parameters
    ----------
    records : Record, str, path, or several of them
        What is judged: records, their files, folders of them (of which the newest record of each
        model counts), or names of models that were evaluated.
    rules : str, path, or list of str
        One rule, a TOML file with ``rules`` and ``undecided``, or the rules themselves, such as
        ``lfw.accuracy drop <= 0.3pt at 95%`` and ``bytes <= 0.75 of baseline``.
    baseline : Record, str, path, or several of them, optional
        What rules on a drop, or a share of the baseline, are held against: of every protocol one.
    undecided : {"fail", "pass", "report"}, optional
        What an undecided rule counts as; by default as the file of rules says, or ``report``.
    protocol : str, or list of str, optional
        Of models that are named by name, e.g. ``["lfw", "lfw+14px"]``: a record of each.
    found_in : sequence of paths, optional
        Folders in which records of models are looked for, before the committed ones and the cache.
    model : str, optional
        Judge only the records of this one, e.g. of a folder.

    Returns
    -------
    GateResult
        ``outcome`` is ``pass``, ``fail`` or ``undecided``; ``verdicts`` has one for every rule and
        model. A rule at a level passes or fails only where the whole interval does.

    Raises
    ------
    UserError
        A rule that cannot be read, or of a protocol or statistic that no record has; no baseline
        for a rule that needs one, or one that cannot be compared; a file that is no record.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.judge("sparse_074", ["lfw.accuracy >= 0.9"], protocol="lfw")
    >>> found.outcome
    'pass'
    >>> rule = "lfw.accuracy drop <= 0.3pt at 95%"
    >>> found = facebench.judge("sparse_074", [rule], "baseline", protocol="lfw")
    >>> found.outcome, found.verdicts[0].units_needed
    ('undecided', 360911)
    """
    protocols = protocols_named(protocol)
    require("model", model, (str, NoneType), "'sparse_074'")
    chosen = _rules(rules, undecided)
    needs = next((rule for rule in chosen.rules if rule.needs_baseline), None)
    held = several(baseline)
    if needs is not None and not held:
        raise UserError(f"rule {needs.text!r} needs a baseline: name it with --baseline")
    groups = _columns(chosen)
    bases = records_named(held, protocols, found_in, groups)
    given, passed_over = newest_named(several(records), protocols, found_in, groups)
    return gated(chosen, bases, _of_model(given, model), passed_over=passed_over)


def protocols_named(protocol: str | Sequence[str] | None) -> list[str]:
    """Protocols of models named by name, each once; none: the only one that a model has."""
    names = [] if protocol is None else listed("protocol", protocol, "'lfw'")
    for name in names:
        require("protocol", name, (str,), "'lfw'")
        split_name(name)  # refuses a misspelt degradation by itself, and not as an absent record
    return list(dict.fromkeys(names))


def _columns(rules: Rules) -> Groups:
    """By protocol the columns of groups that rules take, none where they take the only one."""
    found: dict[str, list[str]] = {}
    for rule in rules.rules:
        if rule.of_groups and rule.protocol is not None:
            found.setdefault(rule.protocol, []).extend([rule.by] if rule.by else [])
    return found


def records_named(
    names: Sequence[Named],
    protocols: Sequence[str] = (),
    found_in: Sequence[Path] = (),
    groups: Groups = NO_GROUPS,
) -> list[Record]:
    """The records that are given, or behind files, folders and names of models, each once.

    groups: by protocol, the columns that records of models must have where any does.
    """
    return _each_once(_all_named(names, protocols, found_in, groups))


def _each_once(records: Sequence[Record]) -> list[Record]:
    return list({record.digest(): record for record in records}.values())


def _all_named(
    names: Sequence[Named], protocols: Sequence[str], found_in: Sequence[Path], groups: Groups
) -> list[Record]:
    distinct = list(dict.fromkeys(names))
    models = [name for name in distinct if isinstance(name, str) and not is_file(name)]
    found = {name: _of_file(name) for name in distinct if name not in models}
    only = next(iter(groups.values()), None)
    each = [
        named_in(found_in, models, one, groups=only if one is None else groups.get(one))
        for one in protocols or (None,)
    ]
    found |= {
        name: list(of_one) for name, of_one in zip(models, zip(*each, strict=True), strict=True)
    }
    return [record for name in distinct for record in found[name]]


def _of_file(name: Named) -> list[Record]:
    """The record itself, or those of a file or folder."""
    if isinstance(name, Record):
        return [name]
    return [record for _, record in records_in(str(name))]


def newest_named(
    names: Sequence[Named],
    protocols: Sequence[str] = (),
    found_in: Sequence[Path] = (),
    groups: Groups = NO_GROUPS,
) -> tuple[list[Record], list[str]]:
    """As `records_named`, of folders the newest of each model, and what of them is passed over.

    A folder that lies in another that is named is a part of that.
    """
    folders = [n for n in names if not isinstance(n, Record) and Path(n).is_dir()]
    places = {Path(folder).resolve(): str(folder) for folder in folders}
    found = [newest_in(name) for at, name in places.items() if not places.keys() & {*at.parents}]
    others = [name for name in names if name not in folders]
    named = records_named(others, protocols, found_in, groups)
    given = _each_once([*named, *(record for one in found for record in one.records)])
    judged = {record.digest() for record in given}
    older = _each_once([record for one in found for record in one.older])
    return given, [passed_over_line(record) for record in older if record.digest() not in judged]


def _rules(rules: GivenRules, undecided: Undecided | None) -> Rules:
    if isinstance(rules, str) and ("<=" in rules or ">=" in rules) and not Path(rules).exists():
        rules = [rules]  # no file, but a rule
    if not isinstance(rules, (str, PathLike)):
        texts = listed("rules", rules, "['lfw.accuracy >= 0.9']")
        wrong = [text for text in texts if not isinstance(text, str)]
        if wrong:
            raise UserError(f"rules: {wrong[0]!r} is no rule; write e.g. 'lfw.accuracy >= 0.9'")
        return parse_rules(texts, undecided or "report")
    read = read_rules(Path(rules))
    return parse_rules([rule.text for rule in read.rules], undecided or read.undecided)


def _of_model(records: list[Record], model: str | None) -> list[Record]:
    """Those of one model, or all; UserError: there is none."""
    known = sorted({record.model.id for record in records})
    if model is not None and model not in known:
        raise UserError(
            f"no record of {model!r}{nearest(model, known)} (records of: {', '.join(known)})"
        )
    return [record for record in records if model in (None, record.model.id)]
