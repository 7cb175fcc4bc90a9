"""The one door for files that users bring: plain files only, of a bounded length, named in errors.

A pipe or a device (``/dev/zero``) may never end, and a file of holes is longer than memory; so
what a path leads to is looked at before a byte is read. The limits stand here, in one place; each
is far above any file of its kind that circulates.

What the bytes then do to the library that reads them is told here, too: `reading` stands around
every such call, so that a damaged file is one line, whatever the library raises.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from facebench.base.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIB, GIB = 1 << 20, 1 << 30
SETTINGS = MIB // 4  # cards, recipes, plans and rules; TOML can take quadratic time
RECORD = 64 * MIB  # records of results and costs
SCORES = 2 * GIB  # beside a record: IJB-C's 16 million comparisons take 0.5 GB
IMAGE = 256 * MIB  # an encoded image: an uncompressed one of 64 megapixels has 192 MB
LIST = GIB  # pairs, landmarks, metadata: the longest published one, of IJB-C, has 0.2 GB
MODEL = 2 * GIB  # weights, programs and metrics; no ONNX file is longer
ARCHIVE = 1 << 40  # of images, which are read one by one
ARRAY = 16 * GIB  # embeddings that were computed elsewhere: a million of 512 values take 2 GB
_BLOCK = MIB
# What systems and tools leave in folders of one's own, beside all that begins with a dot: Windows,
# macOS (also within zip files), Synology, QNAP, Python.
_STRAY = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx"),
        *("@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin"),
        *("system volume information", "lost+found", "__pycache__"),
    }
)
_LONGEST_CAUSE = 160  # characters: what a library says may hold the whole file
_POINTER, _LONGEST_POINTER = b"version https://git-lfs.github.com/spec/", 1024  # by its format
_NOT_PULLED = "it is a pointer of git LFS in place of the file, which `git lfs pull` brings"
_KINDS = (
    (stat.S_ISDIR, errno.EISDIR, "it is a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "it is a pipe, not a file; save what it gives as a file"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket, not a file"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device, not a file"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device, not a file"),
)


@contextmanager
def reading(where: object, what: str, to_do: str = "") -> Iterator[None]:
    """Around what makes sense of a user's file: any error within is one line about the file.

    Libraries raise whatever their innermost parts do where bytes are damaged, of more kinds than
    their pages name; so no list of kinds is kept, and no more than the call that reads belongs in
    the block. A UserError, which says its own, passes.

    where: the file; what: is wrong with it, in words (``not a curve``); to_do: what mends it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        opened = not (isinstance(error, OSError) and error.errno)  # else it was never looked into
        then = f"; {to_do}" if to_do and opened else ""
        raise UserError(f"{where}: {what}: {cause(error)}{then}") from error


def cause(error: Exception) -> str:
    """Why a file cannot be read, by the error of a library: a few words of one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start:,})"
    words: object = error
    if isinstance(error, KeyError) or (error.args and isinstance(error.args[-1], tuple)):
        words = error.args[0]  # without quotes; of Python's tokens and syntax without the place
    text = " ".join(str(words).split())
    if "integer string conversion" in text:  # Python's own line advises to change the interpreter
        return "it has a number of thousands of digits"
    if isinstance(error, KeyError) and " " not in text:
        text = f"it has no {text!r}"
    return text[:_LONGEST_CAUSE] or type(error).__name__


def read_bytes(path: Path, what: str, limit: int = LIST) -> bytes:
    """The bytes of a user's file. what: it, in words: ``the card``; limit: the most bytes it has.

    UserError names the file where it cannot be read, is no plain file, or is longer.
    """
    try:
        return plain_bytes(path, limit)
    except OSError as error:
        raise unreadable(path, what, error) from None


def read_text(path: Path, what: str, limit: int = LIST) -> str:
    """As `read_bytes`, as text in UTF-8, with or without a byte-order mark."""
    try:
        return read_bytes(path, what, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start:,}"
        raise UserError(f"{path}: {what} is not UTF-8 text ({where}); save it as UTF-8") from None


def json_values(data: bytes) -> Any:
    """The values of JSON.

    ValueError where it is none, or holds what nothing here can count or write: a whole number
    beyond 64 bits, half of a letter.
    """
    text = data.decode(json.detect_encoding(data))
    values = json.loads(text, parse_int=_whole)
    if "\\ud" in text.lower():  # of a pair, which makes one letter, or alone
        try:
            json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            number = ord(error.object[error.start])
            raise ValueError(f"it has half of a letter, U+{number:X}") from None
    return values


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) >> 63:
        raise ValueError(f"it has the whole number {text[:30]}, beyond 64 bits")
    return number


def read_json(path: Path, what: str, limit: int = RECORD, to_do: str = "") -> Any:
    """As `read_bytes`, the values of JSON; to_do: what mends a file that is none."""
    data = read_bytes(path, what, limit)
    with reading(path, f"{what} is not JSON", to_do):
        return json_values(data)


def read_fields(
    path: Path, what: str, *names: str, limit: int = RECORD, to_do: str = ""
) -> dict[str, Any]:
    """As `read_json`, a table that has at least the fields of those names; what: ``a curve``."""
    data = read_bytes(path, "the file", limit)
    with reading(path, f"not {what}", to_do):
        values = json_values(data)
        if not isinstance(values, dict):
            raise TypeError("it is no table of fields")
        if lacks := set(names) - set(values):
            raise KeyError(min(lacks))
    return values


def read_list(path: Path, what: str = "the list", expected: str = "the official list") -> list[str]:
    """The lines of a user's list, without empty ones at its end.

    A line ends with ``\\n``, ``\\r\\n`` or, in a file that has neither, ``\\r``, and not with what
    else Unicode takes for a line's end, which a name may hold. UserError: it cannot be read, is not
    UTF-8 text (a byte-order mark may begin it), holds NUL, or nothing. what, expected: for that.
    """
    try:
        data = plain_bytes(path)
    except OSError as error:
        raise UserError(f"cannot read {what} {path}: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        why = f"not UTF-8 text; expected {expected}, saved as UTF-8"
        raise wrong_line(path, line, why) from None
    if (at := text.find("\0")) >= 0:
        why = "holds NUL bytes (cut short, or saved as UTF-16?); save the list as UTF-8 text"
        raise wrong_line(path, text.count("\n", 0, at) + 1, why)
    if not (text := text.rstrip()):
        raise UserError(f"{path} is empty; expected {expected}")
    return unix_lines(text).split("\n")


def unix_lines(text: str) -> str:
    """Text whose lines end with ``\n``: see `read_list` for what else ends them."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")


def read_rows(path: Path, what: str = "the list") -> Iterator[tuple[int, str]]:
    """The lines of an official list with their numbers, from 1, without comments; errors as those
    of `read_list`, and for an empty line in the middle.
    """
    for number, line in enumerate(read_list(path, what), 1):
        if not line.strip():
            raise wrong_line(path, number, "an empty line in the middle of the list")
        if not is_comment(line):
            yield number, line


def is_comment(line: str) -> bool:
    """Whether a line is for people only: it begins with ``#`` and is no row of a table.

    Official lists have no comments, and a name may begin with ``#``: where it does, no blank comes
    next, and a tab or comma parts it from the next field.
    """
    text = line.rstrip()
    return text.startswith("#") and (not text[1:2].strip() or not {"\t", ","} & set(text))


def read_csv(
    path: Path, what: str = "the list", expected: str = "the official list"
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a user's CSV list with the numbers of their lines; fields have no blanks around
    them. Errors as those of `read_list`, and for what is not CSV.
    """
    rows = csv.reader(read_list(path, what, expected), strict=True)
    try:
        for row in rows:
            yield rows.line_num, [field.strip() for field in row]
    except csv.Error as error:
        raise wrong_line(path, rows.line_num, f"cannot be read as CSV: {error}") from error


def wrong_line(path: Path, line: int, what: str) -> UserError:
    """The one line about a line of a list, counted from 1."""
    return UserError(f"{path}, line {line}: {what}")


def is_stray(name: str) -> bool:
    """Whether a file or folder of that name is no one's data: ``.DS_Store``, ``._a.jpg``,
    ``.ipynb_checkpoints``, ``.git``, ``Thumbs.db``, ``__MACOSX``, ``@eaDir`` and their kin.
    """
    return name.startswith(".") or name.lower() in _STRAY


def folder_entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a user's folder holds, by name, without what `is_stray`; UserError: unreadable."""
    try:
        with os.scandir(folder) as found:
            inside = [entry for entry in found if not is_stray(entry.name)]
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    return sorted(inside, key=lambda entry: entry.name)


def open_file(path: Path, what: str, limit: int = LIST) -> BinaryIO:
    """A user's file, open for reading bytes; errors as those of `read_bytes`."""
    try:
        return plain_file(path, limit)
    except OSError as error:
        raise unreadable(path, what, error) from None


def require_plain(path: Path, what: str, limit: int = LIST) -> None:
    """UserError as by `read_bytes`, for files that a library opens by their path."""
    open_file(path, what, limit).close()


def plain_bytes(path: Path, limit: int = LIST) -> bytes:
    """The bytes of a plain file; OSError, whose text says so, where it is none or is too long."""
    with plain_file(path, limit) as file:
        data = file.read(os.fstat(file.fileno()).st_size + 1)
        # It grew, or says no length, as files under /proc do.
        while len(data) <= limit and (more := file.read(_BLOCK)):
            data += more
    if len(data) > limit:
        raise _too_long(path, limit)
    return data


def plain_file(path: Path, limit: int = LIST) -> BinaryIO:
    """A plain file, open for reading; OSError as from `plain_bytes`."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a NUL, which no file's does", str(path))
    _require_plain(path, os.stat(path), limit)  # before it is opened: that alone can do harm
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
        _require_plain(path, found, limit)  # it may be another one by now
        if found.st_size <= _LONGEST_POINTER and os.pread(handle, len(_POINTER), 0) == _POINTER:
            raise OSError(errno.EINVAL, _NOT_PULLED, str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        with suppress(OSError):
            os.close(handle)
        raise


def member_bytes(archive: zipfile.ZipFile, name: str, limit: int = IMAGE) -> bytes:
    """One member of a zip file; OSError, whose text says why: absent, damaged, or too long."""
    try:
        if archive.getinfo(name).file_size > limit:  # zipfile unfolds no more than that
            raise OSError(errno.EFBIG, f"it is longer than {size_words(limit)}")
    except KeyError:
        raise FileNotFoundError(errno.ENOENT, "there is no such member") from None
    try:
        return archive.read(name)
    except Exception as error:  # of zipfile, and of each of the ways to pack
        raise OSError(errno.EIO, f"it is damaged ({cause(error)})") from None


def tensors_in(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of safetensors; ValueError in a few words where the bytes are none."""
    from safetensors.numpy import load  # late: of all that open files, few hold tensors

    try:
        return dict(load(data))
    except Exception as error:  # of many kinds, also for types that NumPy does not know
        raise ValueError(f"truncated or not safetensors ({cause(error)})") from None


def note_in(data: bytes, entry: str) -> Any:
    """The JSON in a metadata entry of safetensors, by their first bytes; None: there is none."""
    length = int.from_bytes(data[:8], "little")
    try:
        return json.loads(json.loads(data[8 : 8 + length])["__metadata__"][entry])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def unreadable(path: Path, what: str, error: OSError) -> UserError:
    """The one line about a file that cannot be read."""
    return UserError(f"{path}: {what} cannot be read: {error.strerror or error}")


def require_kind(path: Path, found: os.stat_result) -> None:
    """OSError, whose text says so, where what was found at a path is no plain file."""
    for is_kind, number, words in _KINDS:
        if is_kind(found.st_mode):
            raise OSError(number, words, str(path))


def _require_plain(path: Path, found: os.stat_result, limit: int) -> None:
    require_kind(path, found)
    if found.st_size > limit:
        raise _too_long(path, limit)


def _too_long(path: Path, limit: int) -> OSError:
    return OSError(errno.EFBIG, f"it is longer than {size_words(limit)}", str(path))


def size_words(limit: int) -> str:
    """A limit in words: ``2 GiB``."""
    for size, name in ((GIB, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if limit >= size:
            return f"{limit // size} {name}"
    return f"{limit} bytes"
