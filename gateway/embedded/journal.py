"""The chain on disk: a snapshot, and every block since.

    state-000007.json     everything that anvil knew at one block
    blocks-000007.log     first a line with that block and the state file's checksum; then, in order, every block since,
                          with its signed transactions

A block is a line with its checksum, written and synced before the next block is mined, so at most the newest block can
be lost, and that one is never final. A line that was cut off by a kill is not read. A snapshot is written to a
temporary file, synced and renamed; the previous one is kept with its blocks, so that a damaged one loses nothing.
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the node returned it, and its signed transactions."""

    header: dict[str, Any]
    transactions: list[str]

    @property
    def number(self) -> int:
        return int(self.header["number"], 16)

    @property
    def hash(self) -> str:
        return str(self.header["hash"])

    @property
    def parent(self) -> str:
        return str(self.header["parentHash"])

    @property
    def timestamp(self) -> int:
        return int(self.header["timestamp"], 16)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state file. `path` is None for the beginning of the chain, which needs no file."""

    generation: int
    genesis: int  # The timestamp of block 0, from which anvil makes the same block 0 every time.
    path: Path | None


class Journal:
    """The files of one chain. Only one process may use them, which the home's lock ensures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log: int | None = None
        self._generation = -1
        self.blocks = 0  #: Lines written or found since the snapshot.
        self.bytes = 0  #: Their size.

    def read(self) -> tuple[Snapshot, list[Block]] | None:
        """Return the newest complete snapshot, and the blocks after it. None for a new chain."""
        for path in self._folder.glob("*.tmp"):
            path.unlink()
        generations = sorted(
            (int(path.stem.partition("-")[2]) for path in self._folder.glob("blocks-*.log")), reverse=True
        )
        later: list[Block] = []
        for generation in generations:
            lines = list(_lines(self._log_path(generation)))
            if not lines:
                continue
            later = [Block(line["block"], line["signed"]) for line in lines[1:]] + later
            if snapshot := self._snapshot(generation, lines[0]):
                self._generation = generations[0]
                return snapshot, _one_chain(later)
        return None

    def begin(self, genesis: int) -> None:
        """Begin a new chain."""
        self._open(max(self._generation, 0), {"genesis": genesis, "bytes": 0, "checksum": 0})

    def go_on(self, snapshot: Snapshot) -> None:
        """Append to the newest snapshot's blocks, of which there are none yet."""
        self._generation = snapshot.generation
        self._log = os.open(self._log_path(snapshot.generation), os.O_WRONLY | os.O_APPEND)
        self.blocks = self.bytes = 0

    def add(self, block: Block) -> None:
        """Write a block durably. Raises OSError, with nothing of it written, for example on a full disk."""
        assert self._log is not None
        line = _line({"block": block.header, "signed": block.transactions})
        end = os.lseek(self._log, 0, os.SEEK_END)
        try:
            _write(self._log, line)
            os.fdatasync(self._log)
        except OSError:
            os.ftruncate(self._log, end)
            raise
        self.blocks += 1
        self.bytes += len(line)

    def snapshot(self, state: Iterable[bytes], genesis: int) -> Snapshot:
        """Write a state as the newest snapshot, and delete what it replaces."""
        generation = self._generation + 1
        place = self._state_path(generation)
        new = place.with_suffix(".tmp")
        size = checksum = 0
        with new.open("wb") as file:
            for part in state:
                size, checksum = size + len(part), zlib.crc32(part, checksum)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        self._open(generation, {"genesis": genesis, "bytes": size, "checksum": checksum})
        new.rename(place)
        self._sync()
        self._forget(before=generation - 1)
        return Snapshot(generation, genesis, place)

    def close(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _open(self, generation: int, first: dict[str, Any]) -> None:
        log = os.open(self._log_path(generation), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        _write(log, _line(first))
        os.fsync(log)
        self._sync()
        self.close()
        self._log, self._generation, self.blocks, self.bytes = log, generation, 0, 0

    def _snapshot(self, generation: int, first: dict[str, Any]) -> Snapshot | None:
        """Return the generation's state, if it exists and has the size and checksum in the log."""
        if not first["bytes"]:
            return Snapshot(generation, first["genesis"], None)
        path = self._state_path(generation)
        size = checksum = 0
        try:
            with path.open("rb") as file:
                while part := file.read(_CHUNK_BYTES):
                    size, checksum = size + len(part), zlib.crc32(part, checksum)
        except FileNotFoundError:
            return None
        whole = (size, checksum) == (first["bytes"], first["checksum"])
        return Snapshot(generation, first["genesis"], path) if whole else None

    def _forget(self, before: int) -> None:
        for path in (*self._folder.glob("blocks-*.log"), *self._folder.glob("state-*.json")):
            if int(path.stem.partition("-")[2]) < before:
                path.unlink()

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _log_path(self, generation: int) -> Path:
        return self._folder / f"blocks-{generation:06d}.log"

    def _state_path(self, generation: int) -> Path:
        return self._folder / f"state-{generation:06d}.json"


def unpacked(packed: bytes) -> Iterator[bytes]:
    """Decompress a gzip, as anvil packs its state, in parts; its own checksum is checked at the end (zlib.error)."""
    stream = zlib.decompressobj(wbits=31)
    for start in range(0, len(packed), _CHUNK_BYTES):
        yield stream.decompress(packed[start : start + _CHUNK_BYTES])
    yield stream.flush()
    if not stream.eof:
        raise zlib.error("the state ends too early")


def _one_chain(blocks: list[Block]) -> list[Block]:
    """Return the blocks as far as each is the child of the one before, without those that a later branch replaced."""
    kept: list[Block] = []
    for block in blocks:
        while kept and kept[-1].number >= block.number:
            kept.pop()
        if kept and block.parent != kept[-1].hash:
            break
        kept.append(block)
    return kept


def _line(what: dict[str, Any]) -> bytes:
    text = json.dumps(what, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete lines of a log, up to the first incomplete one."""
    with path.open("rb") as file:
        for line in file:
            checksum, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
                return
            yield json.loads(text)


def _write(handle: int, what: bytes) -> None:
    rest = memoryview(what)
    while rest:
        rest = rest[os.write(handle, rest) :]
