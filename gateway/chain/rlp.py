"""Recursive Length Prefix, Ethereum's encoding of nested lists of bytes (Yellow Paper, appendix B). Pure.

A number is its big-endian bytes without leading zeros; zero is no bytes at all.
"""

from collections.abc import Sequence

#: What can be encoded; decoding gives bytes and lists.
Encodable = int | bytes | Sequence["Encodable"]
Decoded = bytes | list["Decoded"]


def encode(value: Encodable) -> bytes:
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "big")
    if isinstance(value, bytes):
        return value if len(value) == 1 and value[0] < 0x80 else _length(len(value), 0x80) + value
    payload = b"".join(encode(part) for part in value)
    return _length(len(payload), 0xC0) + payload


def decode(encoded: bytes) -> Decoded:
    """What `encode` was given, numbers as bytes. For bytes we encoded ourselves: it does not look for bad ones."""
    value, end = _decode(encoded, 0)
    assert end == len(encoded)
    return value


def _length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def _decode(encoded: bytes, at: int) -> tuple[Decoded, int]:
    first = encoded[at]
    if first < 0x80:
        return encoded[at : at + 1], at + 1
    offset = 0x80 if first < 0xC0 else 0xC0
    start, length = at + 1, first - offset
    if length > 55:
        start, length = start + length - 55, int.from_bytes(encoded[start : start + length - 55], "big")
    if offset == 0x80:
        return encoded[start : start + length], start + length

    values: list[Decoded] = []
    position = start
    while position < start + length:
        value, position = _decode(encoded, position)
        values.append(value)
    return values, position
