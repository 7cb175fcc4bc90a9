"""Where public data sets are had, with the SHA-256 that their files must have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server: its name here, its address, its SHA-256 in hexadecimal."""

    filename: str
    url: str
    sha256: str


@dataclass(frozen=True)
class LfwFiles:
    """An edition of LFW: an archive whose top folder is ``image_folder``, lists, and counts."""

    archive: RemoteFile
    lists: tuple[RemoteFile, ...]
    image_folder: str
    images: int
    people: int
    pairs: int


# The addresses and hashes of scikit-learn's datasets/_lfw.py; the site of LFW itself is gone.
_FIGSHARE = "https://ndownloader.figshare.com/files/"
LFW_LISTS = (
    RemoteFile(
        "pairsDevTrain.txt",
        _FIGSHARE + "5976012",
        "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa",
    ),
    RemoteFile(
        "pairsDevTest.txt",
        _FIGSHARE + "5976009",
        "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c",
    ),
    RemoteFile(
        "pairs.txt",
        _FIGSHARE + "5976006",
        "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592",
    ),
)
LFW_ARCHIVE = RemoteFile(
    "lfw.tgz",
    _FIGSHARE + "5976018",
    "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0",
)
LFW_FUNNELED_ARCHIVE = RemoteFile(
    "lfw-funneled.tgz",
    _FIGSHARE + "5976015",
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
)
LFW_IMAGES, LFW_PEOPLE, LFW_PAIRS = 13_233, 5_749, 6_000
LFW = LfwFiles(LFW_ARCHIVE, LFW_LISTS, "lfw", LFW_IMAGES, LFW_PEOPLE, LFW_PAIRS)
LFW_FUNNELED = LfwFiles(
    LFW_FUNNELED_ARCHIVE, LFW_LISTS, "lfw_funneled", LFW_IMAGES, LFW_PEOPLE, LFW_PAIRS
)
