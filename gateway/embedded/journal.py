"""The chain on disk: a snapshot, and every block since.

    state-000007.json     everything anvil knew at one block
    blocks-000007.log     first a line that says which block that was and how to recognise the file; then, in order,
                          every block since, with its transactions as they were signed

A block is a line with its checksum, written and synced before the next block is mined, so at most the newest block
can be lost, and that one is never final. A line cut off by a kill is not read. A snapshot is written beside its place,
synced and renamed; the one before it is kept with its blocks, so that a damaged one costs nothing.
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
    """A block as the node told it, and its transactions as they were signed."""

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
    """One state file. `path` is None for the chain's very beginning, which needs no file."""

    generation: int
    genesis: int  #: The timestamp of block 0, from which anvil makes the same block 0 every time.
    path: Path | None


class Journal:
    """The files of one chain. Not safe for two at once: the home's lock sees to that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log: int | None = None
        self._generation = -1
        self.blocks = 0  #: Lines written or found since the snapshot.
        self.bytes = 0  #: Their size.

    def read(self) -> tuple[Snapshot, list[Block]] | None:
        """The newest snapshot that is whole, and the blocks after it. None for a new chain."""
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
        """A new chain."""
        self._open(max(self._generation, 0), {"genesis": genesis, "bytes": 0, "checksum": 0})

    def go_on(self, snapshot: Snapshot) -> None:
        """Add to the newest snapshot's blocks, of which there are none yet."""
        self._generation = snapshot.generation
        self._log = os.open(self._log_path(snapshot.generation), os.O_WRONLY | os.O_APPEND)
        self.blocks = self.bytes = 0

    def add(self, block: Block) -> None:
        """Write a block for good. Raises OSError with nothing of it counted, say on a full disk."""
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
        """Write a state as the newest snapshot, and forget what it makes needless."""
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
        """The generation's state, if it is there and is what the log says it is."""
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
    """A gzip, as anvil packs its state, in parts; its own checksum is checked at the end (zlib.error)."""
    stream = zlib.decompressobj(wbits=31)
    for start in range(0, len(packed), _CHUNK_BYTES):
        yield stream.decompress(packed[start : start + _CHUNK_BYTES])
    yield stream.flush()
    if not stream.eof:
        raise zlib.error("the state ends too early")


def _one_chain(blocks: list[Block]) -> list[Block]:
    """As far as each is the child of the one before; what was undone by a later branch is not kept."""
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
    """The whole lines of a log, up to the first that is not whole."""
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
