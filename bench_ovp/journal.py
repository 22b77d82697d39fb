"""An append-only file of records, each beside its digest: what is written stays, what is damaged is known.

A record is a mark, its length, the SHA-256 of its content, and the content. A file that was cut short, or whose bytes
were changed, loses the records that this hit and no others: reading goes on at the next mark.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

TITLE = b"bench-ovp journal 1\n"
MARK = b"\xf1run\x93\x0e\xa5\xd2"  # no UTF-8, and no number that is likely
HEAD = struct.Struct("<8sQ32s")
PORTION = 1 << 20  # bytes read at a time


class Scan(NamedTuple):
    """What is in a file.

    Args:
        places: offsets of the contents of sound records, in order.
        gaps: (begin, end) of bytes that belong to no sound record.
        size: of the file.
        torn: whether all that is wrong is an unfinished record at the end, as a power cut leaves it.
    """

    places: list[int]
    gaps: list[tuple[int, int]]
    size: int
    torn: bool


class Journal:
    """One file. Reading it needs no lock; who appends must be alone.

    Args:
        path: of the file; it need not exist until something is appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = -1
        self._writer = -1
        self._end = 0
        self._unsynced = False

    def scan(self) -> Scan:
        """Read all of the file and check every digest."""
        places: list[int] = []
        gaps: list[tuple[int, int]] = []
        with _Window(self.path) as window:
            at = len(TITLE) if window.take(0, len(TITLE)) == TITLE else 0
            lost = at  # where what is not understood begins
            while at < window.size:
                found = _read_record(window, at)
                if found is None:
                    at = window.find(MARK, at + 1)
                    continue
                if at > lost:
                    gaps.append((lost, at))
                places.append(at + HEAD.size)
                at = lost = found
            if window.size > lost:
                gaps.append((lost, window.size))
            self._end = window.size
            torn = len(gaps) == 1 and gaps[0][1] == window.size and _is_unfinished(window, gaps[0][0])
        return Scan(places, gaps, self._end, torn)

    def read(self, place: int) -> bytes | None:
        """The content of the record there; None where it no longer matches its digest."""
        head = self.peek(place - HEAD.size, HEAD.size)
        if len(head) < HEAD.size:
            return None
        _, length, _ = HEAD.unpack(head)
        content = self.peek(place, min(length, os.fstat(self._reader).st_size))
        return content if head == _head(content) else None

    def peek(self, place: int, length: int) -> bytes:
        """The first bytes there, unchecked: `scan` has checked them."""
        if self._reader < 0:
            self._reader = os.open(self.path, os.O_RDONLY | _BINARY)
        return os.pread(self._reader, length, place)

    def append(self, contents: Iterable[bytes]) -> list[int]:
        """Write records and tell their places; they are durable after `sync`.

        Errors:
            OSError: there is no room, say. The file is as it was before.
        """
        if self._writer < 0:
            self._open_writer()
        image, places, at = [], [], self._end
        for content in contents:
            places.append(at + HEAD.size)
            image += [_head(content), content]
            at += HEAD.size + len(content)
        self._write(b"".join(image))
        return places

    def sync(self) -> None:
        """Make all that was appended durable."""
        if self._unsynced:
            os.fsync(self._writer)
            self._unsynced = False

    def close(self) -> None:
        """Sync, and let go of the file."""
        try:
            self.sync()
        finally:
            for handle in (self._reader, self._writer):
                if handle >= 0:
                    os.close(handle)
            self._reader = self._writer = -1

    def cut(self, size: int) -> None:
        """Drop what is behind `size`: an unfinished record."""
        os.truncate(self.path, size)
        self._end = size

    def _open_writer(self) -> None:
        fresh = not self.path.exists()
        self._writer = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o644)
        self._end = os.fstat(self._writer).st_size
        if self._end == 0:
            self._write(TITLE)
        if fresh:
            sync_folder(self.path.parent)

    def _write(self, image: bytes) -> None:
        rest = memoryview(image)
        try:
            while rest:
                rest = rest[os.write(self._writer, rest) :]
        except OSError:
            os.ftruncate(self._writer, self._end)
            raise
        self._end += len(image)
        self._unsynced = True


def write_journal(path: Path, contents: Iterable[bytes]) -> None:
    """A journal of these records in place of `path`, in one step."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        journal = Journal(partial)
        try:
            journal.append(())
            for content in contents:
                journal.append((content,))
        finally:
            journal.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_BINARY = getattr(os, "O_BINARY", 0)  # on Windows


def _head(content: bytes) -> bytes:
    return HEAD.pack(MARK, len(content), hashlib.sha256(content).digest())


def _read_record(window: _Window, at: int) -> int | None:
    """Where the sound record at `at` ends; None if there is none."""
    head = window.take(at, HEAD.size)
    if len(head) < HEAD.size:
        return None
    mark, length, digest = HEAD.unpack(head)
    if mark != MARK or at + HEAD.size + length > window.size:
        return None
    total = hashlib.sha256()
    for portion in window.stream(at + HEAD.size, length):
        total.update(portion)
    return at + HEAD.size + length if total.digest() == digest else None


def _is_unfinished(window: _Window, at: int) -> bool:
    """Whether a record begins at `at` that goes beyond the end of the file."""
    head = window.take(at, HEAD.size)
    if len(head) < HEAD.size:
        return head.startswith(MARK[: len(head)])
    mark, length, _ = HEAD.unpack(head)
    return bool(mark == MARK and at + HEAD.size + length > window.size)


class _Window:
    """A file that is read from front to back with some looking ahead; an absent one is empty."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO | None = path.open("rb") if path.exists() else None
        self.size = 0 if self._file is None else os.fstat(self._file.fileno()).st_size
        self._begin, self._data = 0, b""

    def __enter__(self) -> _Window:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def take(self, at: int, length: int) -> bytes:
        """`length` bytes from `at` on, fewer at the end."""
        if not self._begin <= at <= at + length <= self._begin + len(self._data):
            self._begin, self._data = at, self._load(at, max(length, PORTION))
        return self._data[at - self._begin : at - self._begin + length]

    def stream(self, at: int, length: int) -> Iterator[bytes]:
        """The same in portions."""
        while length > 0:
            portion = self.take(at, min(length, PORTION))
            if not portion:
                return
            yield portion
            at += len(portion)
            length -= len(portion)

    def find(self, mark: bytes, at: int) -> int:
        """Where `mark` comes next, from `at` on; the size of the file if it does not."""
        while at < self.size:
            portion = self.take(at, min(PORTION, self.size - at))
            found = portion.find(mark)
            if found >= 0:
                return at + found
            if len(portion) < len(mark):
                break
            at += len(portion) - len(mark) + 1
        return self.size

    def _load(self, at: int, length: int) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(at)
        return self._file.read(length)
