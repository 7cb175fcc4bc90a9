from __future__ import annotations

import hashlib

from facebench.faces.images import content_fingerprint


def test_it_is_the_hash_of_keys_and_contents_in_sorted_order() -> None:
    files = {"b": b"two", "a": b"one"}
    total = hashlib.sha256()
    for key in "ab":
        total.update(key.encode() + b"\0" + hashlib.sha256(files[key]).digest() + b"\n")
    expected = f"lfw-{total.hexdigest()[:16]}"
    assert content_fingerprint("lfw", ["b", "a", "a"], files.get) == expected


def test_content_key_and_absence_change_it() -> None:
    files = {"a": b"one", "b": b"two", "c": b"one"}
    base = content_fingerprint("x", ["a", "b"], files.get)
    assert content_fingerprint("x", ["c", "b"], files.get) != base
    assert content_fingerprint("x", ["a", "b", "gone"], files.get) != base
    assert content_fingerprint("x", ["a", "b"], (files | {"b": b"2"}).get) != base
