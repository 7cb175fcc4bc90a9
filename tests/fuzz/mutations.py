"""How a right file becomes a wrong one: of bytes, lines, trees of values, safetensors and zips.

Everything is drawn from a ``Random`` that target, seed and number settle, so an input that did
harm can be made again.
"""

from __future__ import annotations

import copy
import io
import json
import math
import struct
import zipfile
import zlib
from random import Random
from typing import Any

TEXTS = (
    "", " ", "\x00", "a\x00b", "\n", "a\nb", "\r\n", "\x1b[31mX", "\u202eabc", "😀" * 10, "x" * 300,
    "x" * 3000, "../../../etc/passwd", "/etc/passwd", "/dev/null", "/", ".", "..", "~", "$HOME",
    "{0.__class__}", "%s%n", "<script>alert(1)</script>", "=cmd()", "1/0", "nan", "inf", "-1/256",
    "0/1", "1/256", "1_0", "１/２", "1e-30", "os:system", "a:b", "\ufeff", "\u2028", "\ud800", "|",
    "[red]x[/red]", "[/x]", "$\\frac$", '"', "'", "\\", "lfw", "cosine", "baseline", "synthetic",
    "none", "true", "0", "-1", "1e400", "9" * 40, "9" * 5000, "ßİ", "a b", ".hidden", "-rf",
    "--help", "@x",
)  # fmt: skip
WHOLE = (
    0, 1, -1, 2, 3, 7, 8, 10, 255, 256, 4096, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1,
    2**63, -(2**63) - 1, 10**18, 10**30, 10**400,
)  # fmt: skip
NUMBERS = (
    0.0, -0.0, 0.5, 1.0, 1.0000001, -0.1, float("nan"), float("inf"), -float("inf"), 1e-320, 1e-12,
    1e308, 3.4e39, 1e20,
)  # fmt: skip
TOKENS = (
    *("0", "-1", "1", "999999", "1000000", "9" * 20, "9" * 5000, "nan", "inf", "1e999", "-0"),
    *("1.5", "٣", "²", "", " ", "\t", "\t\t", "\x00", "\ufeff", "\r", "..", "../..", "/etc/passwd"),
    *("a/b", "a\\b", "x" * 250, "x" * 5000, "😀", "\u2028", "\x0b", "\x1c", "#", '"', "'", ","),
    *(";", "=", "<b>", "é", "é", "A_B", ".", "-", "con", "\xff"),
)
# What TOML alone knows, and numbers as it may write them.
TOML_WORDS = (
    "9" * 4301, "1e400", "2020-01-01", "07:32:00", "1979-05-27T07:32:00Z", "0x7fffffffffffffff",
    "1__0", "+1", "0b1", "-nan", "'''a\nb'''",
)  # fmt: skip


class Literal(str):
    """Text that stands in TOML as it is, without quotes."""


def encoded(text: str) -> bytes:
    """UTF-8, of half letters, too."""
    return text.encode("utf-8", "surrogatepass")


def bytes_changed(rng: Random, data: bytes, times: int | None = None) -> bytes:
    """A file with bits turned, parts lost, doubled or put in, lengths replaced, or cut short."""
    changed = bytearray(data)
    for _ in range(times or rng.choice((1, 1, 2, 4, 16))):
        if not changed:
            changed = bytearray(b"\0")
        at = rng.randrange(len(changed))
        match rng.randrange(9):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.choice((0, 255, 127, 128, 10, 34, rng.randrange(256)))
            case 2:
                del changed[at : at + rng.choice((1, 2, 4, 16, 200))]
            case 3:
                changed[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
            case 4:
                other = rng.randrange(len(changed))
                changed[at:at] = changed[other : other + rng.choice((1, 8, 64, 500))]
            case 5:
                del changed[at:]
            case 6:
                lengths = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 65535, 65536)
                changed[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(lengths))
            case 7:
                short = rng.choice((0, 1, 0x7FFF, 0xFFFF))
                changed[at : at + 2] = struct.pack(rng.choice("<>") + "H", short)
            case _:
                changed += rng.randbytes(rng.choice((1, 10, 100)))
    return bytes(changed)


def lines_changed(rng: Random, data: bytes, separator: str = "\t") -> bytes:
    """A list with fields and lines replaced, lost, doubled or in another order, and its line ends,
    encoding or mark changed; sometimes only its bytes.
    """
    if rng.random() < 0.15:
        return bytes_changed(rng, data)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        fields = lines[at].split(separator)
        place = rng.randrange(len(fields))
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                fields[place] = rng.choice(TOKENS)
                lines[at] = separator.join(fields)
            case 4:
                del lines[at]
                lines = lines or [""]
            case 5:
                lines.insert(at, lines[at])
            case 6:
                lines.insert(at, rng.choice(TOKENS))
            case 7:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 8:
                fields.insert(place, rng.choice(TOKENS))
                lines[at] = separator.join(fields)
            case 9:
                fields.pop(place)
                lines[at] = separator.join(fields)
            case 10:
                lines[at] = lines[at].replace(separator, rng.choice((" ", "  ", ",", "\t\t", ";")))
            case _:
                own = rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:own] + rng.choice(TOKENS) + lines[at][own + 1 :]
    text = rng.choice(("\n",) * 8 + ("\r\n", "\r")).join(lines)
    if rng.random() < 0.03:
        return text.encode("utf-16", "surrogatepass")
    return encoded(("\ufeff" if rng.random() < 0.05 else "") + text)


def value(rng: Random, depth: int = 0) -> Any:
    """Any value that JSON or TOML may hold."""
    drawn = rng.random()
    if drawn < 0.36:
        return rng.choice(TEXTS)
    if drawn < 0.56:
        return rng.choice(WHOLE)
    if drawn < 0.74:
        return rng.choice(NUMBERS)
    if drawn < 0.82:
        return rng.random() < 0.5
    if drawn < 0.86:
        return None
    if depth > 2:
        return ""
    if drawn < 0.93:
        return [value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 20)))]
    names = ("a", "name", "x y", "", "é", "width", "0")
    return {rng.choice(names): value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2)))}


def _near(rng: Random, before: Any) -> Any:
    """A value not far from one that is right."""
    match before:
        case bool():
            return not before
        case int():
            near = (before + 1, before - 1, -before, before * 2, before * 1000, 0, str(before))
            return rng.choice(near)
        case float():
            near = (-before, before * 10, before / 10, before + 1, 1 - before, float("nan"))
            return rng.choice((*near, float("inf"), 0.0, str(before), before * (1 + 1e-12)))
        case str():
            return _near_text(rng, before)
        case list():
            return _near_list(rng, list(before))
    return value(rng)


def _near_text(rng: Random, before: str) -> Any:
    at = rng.randrange(len(before) + 1)
    letter = chr(rng.choice((0, 10, 27, 34, 39, 60, 92, 124, 0x202E, 0x10FFFF, 33 + at % 90)))
    near: tuple[Any, ...] = (
        *(before + rng.choice(TEXTS), rng.choice(TEXTS) + before, before[:at] + before[at + 1 :]),
        *(before[:at] + letter + before[at + 1 :], before.upper(), before * 2, before * 50),
        *([before], before.replace("/", "\\")),
    )
    return rng.choice(near)


def _near_list(rng: Random, before: list[Any]) -> list[Any]:
    match rng.randrange(5):
        case 0:
            return before + before
        case 1 if before:
            before.pop(rng.randrange(len(before)))
        case 2:
            before.append(value(rng))
        case 3:
            return []
        case _:
            rng.shuffle(before)
    return before


def _paths(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    own: list[tuple[Any, ...]] = [here]
    if isinstance(tree, dict):
        for name, inner in tree.items():
            own += _paths(inner, (*here, name))
    elif isinstance(tree, list):
        for number, inner in enumerate(tree[:40]):
            own += _paths(inner, (*here, number))
    return own


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _with(tree: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    _at(tree, path[:-1])[path[-1]] = new
    return tree


def tree_changed(rng: Random, tree: Any, times: int | None = None) -> Any:
    """Values of a document with some replaced, lost, misnamed, wrapped, or nested deeply."""
    tree = copy.deepcopy(tree)
    for _ in range(times or rng.choice((1, 1, 1, 2, 3))):
        paths = _paths(tree)
        path = rng.choice(paths[1:] or paths)
        old, drawn = _at(tree, path), rng.random()
        outer = _at(tree, path[:-1]) if path else None
        if drawn < 0.40:
            tree = _with(tree, path, _near(rng, old))
        elif drawn < 0.65:
            tree = _with(tree, path, value(rng))
        elif drawn < 0.75 and path:
            del outer[path[-1]]
        elif drawn < 0.82 and isinstance(outer, dict):
            name = str(path[-1])
            names = (f"{name}x", "x", name.upper(), "__class__", "")
            outer[rng.choice(names)] = value(rng)
        elif drawn < 0.90:
            tree = _with(tree, path, copy.deepcopy(_at(tree, rng.choice(paths))))
        elif drawn < 0.95:
            tree = _with(tree, path, [old])
        elif drawn < 0.985:
            tree = _with(tree, path, {"a": old})
        else:
            for _ in range(rng.choice((50, 200))):
                old = [old]
            tree = _with(tree, path, old)
    return tree


def json_changed(rng: Random, tree: Any) -> bytes:
    """JSON of changed values; sometimes with changed bytes, or nothing but brackets."""
    drawn = rng.random()
    if drawn < 0.01:
        return rng.choice((b"[", b'{"a":')) * 100_000
    data = encoded(json_dumped(tree_changed(rng, tree)))
    return bytes_changed(rng, data) if drawn < 0.15 else data


def json_dumped(tree: Any) -> str:
    """JSON, with numbers of any length."""
    try:
        return json.dumps(tree)
    except ValueError:  # a number of more digits than Python writes
        return '{"width": ' + "9" * 5000 + "}"


def toml_changed(rng: Random, tree: dict[str, Any]) -> bytes:
    """TOML of changed values; sometimes with changed lines, or nothing but brackets."""
    drawn = rng.random()
    if drawn < 0.01:
        return b"name = " + b"[" * 30_000
    if drawn < 0.13:
        return lines_changed(rng, encoded(toml_text(tree)), " ")
    changed = tree_changed(rng, tree)
    if drawn < 0.2:
        word = Literal(rng.choice(TOML_WORDS))
        changed = _with(changed, rng.choice(_paths(changed)[1:] or [()]), word)
    return encoded(toml_text(changed))


def toml_text(tree: Any) -> str:
    """A table as TOML."""
    if not isinstance(tree, dict):
        return _toml_value(tree)
    plain = {name: own for name, own in tree.items() if not (isinstance(own, dict) and own)}
    text = [f"{_quoted(str(name))} = {_toml_value(own)}" for name, own in plain.items()]
    for name, own in tree.items():
        if name not in plain:
            text += ["", f"[{_quoted(str(name))}]"]
            text += [f"{_quoted(str(n))} = {_toml_value(v)}" for n, v in own.items()]
    return "\n".join(text) + "\n"


def _toml_value(own: Any) -> str:
    match own:
        case Literal():
            return str(own)
        case bool():
            return "true" if own else "false"
        case str():
            return _quoted(own)
        case float() if math.isnan(own):
            return "nan"
        case float() if math.isinf(own):
            return "inf" if own > 0 else "-inf"
        case int():
            try:
                return str(own)
            except ValueError:
                return "9" * 5000
        case list() | tuple():
            return f"[{', '.join(map(_toml_value, own))}]"
        case dict():
            fields = (f"{_quoted(str(name))} = {_toml_value(inner)}" for name, inner in own.items())
            return f"{{{', '.join(fields)}}}"
        case None:
            return '""'
    return str(own)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def tensors_changed(rng: Random, data: bytes, entry: str | None = "facebench") -> bytes:
    """A safetensors file with a changed header, note, body or length of the header.

    entry: of its metadata, JSON that is changed, too; None: it has none.
    """
    if rng.random() < 0.25:
        return bytes_changed(rng, data)
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    notes = header.get("__metadata__") or {}
    drawn = rng.random()
    if entry in notes and drawn < 0.4:
        text = json_dumped(tree_changed(rng, json.loads(notes[entry])))
        notes[entry] = rng.choice((*(text,) * 6, text[:-3], "[]", "null", '"x"', '{"a":' * 3000))
        return _tensors(header, body)
    if drawn < 0.65:
        return _tensors(tree_changed(rng, header), body)
    tensor = header[rng.choice([name for name in header if name != "__metadata__"])]
    match rng.randrange(7):
        case 0:
            kinds = (
                *("F64", "F32", "F16", "BF16", "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F4"),
                *("I64", "C64", "XX", "U64", "U16"),
            )
            tensor["dtype"] = rng.choice(kinds)
        case 1:
            own = tensor["shape"]
            shapes = ([], [0], [2**40], [2**63], [1] * 70, [-1], [1.5], ["1"], own[::-1], [*own, 1])
            tensor["shape"] = rng.choice(shapes)
        case 2:
            first, last = tensor["data_offsets"]
            spans = ([0, 0], [0, 2**62], [2**63, 0], [10, 5], [-1, 4], [0], [], [0, len(body)])
            tensor["data_offsets"] = rng.choice((*spans, [first + 1, last]))
        case 3:
            values = (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\xff\xff", b"\0\x7c\0\x7c")
            at = rng.randrange(max(1, len(body) - 4))
            body = body[:at] + rng.choice(values) + body[at + 4 :]
        case 4:
            lengths = (0, 1, 2**31, 2**62, 2**63, 2**64 - 1, 100_000_000, 100_000_001)
            return _tensors(header, body, rng.choice(lengths))
        case 5:
            header["x.weight"] = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}
        case _:
            body = body[: len(body) // 2]
    return _tensors(header, body)


def _tensors(header: Any, body: bytes, length: int | None = None) -> bytes:
    text = encoded(json_dumped(header))
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def zip_changed(rng: Random, data: bytes, more: tuple[str, ...] = ()) -> bytes:
    """A zip file with changed bytes, or with a part changed or lost; more: names of parts that are
    put in.
    """
    if rng.random() < 0.35:
        return bytes_changed(rng, data)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        names = before.namelist()
        picked = rng.choice(names)
        for name in names:
            part = before.read(name)
            if name == picked:
                if rng.random() < 0.1:
                    continue
                part = _part_changed(rng, name, part)
            after.writestr(name, part)
        if more and rng.random() < 0.15:
            after.writestr(names[0].partition("/")[0] + "/" + rng.choice(more), b"x")
    return out.getvalue()


def _part_changed(rng: Random, name: str, part: bytes) -> bytes:
    if name.endswith(".json") and rng.random() < 0.8:
        return json_changed(rng, json.loads(part))
    return bytes_changed(rng, part)


def png_repaired(data: bytes) -> bytes:
    """A PNG whose chunks have their checksums again."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if length > len(data):
            break
        out += struct.pack(">I", len(content)) + kind + content
        out += struct.pack(">I", zlib.crc32(kind + content))
        at += 12 + length
    return out
