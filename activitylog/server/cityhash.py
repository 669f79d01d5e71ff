"""
CityHash128 of release 1.0.2, the checksum of ClickHouse's compressed blocks.

Later releases of CityHash give other values, and so do the packages that follow them. ClickHouse froze 1.0.2
in its protocol. Where ``clickhouse-cityhash`` is installed its C code is used; the Python below gives the
same values at some 20 MB/s of compressed data, and only clients that ask for ``compress=1`` or
``decompress=1`` come here.

A 128-bit value is the pair (low, high) of unsigned 64-bit integers.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable

_MASK = 0xFFFFFFFFFFFFFFFF
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69

_two_words = struct.Struct("<QQ")
_sixteen_words = struct.Struct("<16Q")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return (value >> shift | value << (64 - shift)) & _MASK if shift else value


def _shift_mix(value: int) -> int:
    value &= _MASK
    return value ^ value >> 47


def _hash_16(low: int, high: int) -> int:
    a = (low ^ high) * _MUL & _MASK
    a ^= a >> 47
    b = (high & _MASK ^ a) * _MUL & _MASK
    b ^= b >> 47
    return b * _MUL & _MASK


def _hash_0_to_16(data: bytes) -> int:
    length = len(data)
    if length > 8:
        first, last = _word(data, 0), _word(data, length - 8)
        return _hash_16(first, _rotate(last + length, length)) ^ last
    if length >= 4:
        head, tail = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _hash_16(length + (head << 3), tail)
    if length > 0:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[-1] << 2)
        return _shift_mix(y * _K2 ^ z * _K3) * _K2 & _MASK
    return _K2


def _murmur(data: bytes, low: int, high: int) -> tuple[int, int]:
    """The variant for fewer than 128 bytes after the seed."""
    length = len(data)
    a, b = low, high
    if length <= 16:
        a = _shift_mix(a * _K1) * _K1 & _MASK
        c = b * _K1 + _hash_0_to_16(data) & _MASK
        d = _shift_mix(a + (_word(data, 0) if length >= 8 else c))
    else:
        c = _hash_16(_word(data, length - 8) + _K1 & _MASK, a)
        d = _hash_16(b + length & _MASK, c + _word(data, length - 16) & _MASK)
        a = a + d & _MASK
        for at in range(0, (length - 1) // 16 * 16, 16):
            first, second = _two_words.unpack_from(data, at)
            a = (a ^ _shift_mix(first * _K1) * _K1 & _MASK) * _K1 & _MASK
            b ^= a
            c = (c ^ _shift_mix(second * _K1) * _K1 & _MASK) * _K1 & _MASK
            d ^= c
    a, b = _hash_16(a, c), _hash_16(d, b)
    return a ^ b, _hash_16(b, a)


def _long(data: bytes, low: int, high: int) -> tuple[int, int]:
    """The variant for 128 bytes and more. Flat, because it is the hot loop."""
    mask, k0, k1 = _MASK, _K0, _K1
    length = len(data)
    x, y, z = low, high, length * k1 & mask
    v0 = _rotate(y ^ k1, 49) * k1 + _word(data, 0) & mask
    v1 = _rotate(v0, 42) * k1 + _word(data, 8) & mask
    w0 = _rotate(y + z, 35) * k1 + x & mask
    w1 = _rotate(x + _word(data, 88), 53) * k1 & mask
    whole = length // 128 * 128
    for words in _sixteen_words.iter_unpack(memoryview(data)[:whole]):
        for d0, d1, d2, d3, d4, d5, d6, d7 in (words[:8], words[8:]):
            t = x + y + v0 + d2 & mask
            x = (t >> 37 | t << 27) * k1 & mask ^ w1
            t = y + v1 + d6 & mask
            y = (t >> 42 | t << 22) * k1 & mask ^ v0
            t = z ^ w0
            z = (t >> 33 | t << 31) & mask
            a = v1 * k1 + d0 & mask
            t = x + w0 + a + d3 & mask
            b = t >> 21 | t << 43
            c = a
            a = a + d1 + d2 & mask
            b = b + (a >> 44 | a << 20)
            v0, v1 = a + d3 & mask, b + c & mask
            a = z + w1 + d4 & mask
            t = y + a + d7 & mask
            b = t >> 21 | t << 43
            c = a
            a = a + d5 + d6 & mask
            b = b + (a >> 44 | a << 20)
            w0, w1 = a + d7 & mask, b + c & mask
            z, x = x, z
    y = y + _rotate(w0, 37) * k0 + z & mask
    x = x + _rotate(v0 + z, 49) * k0 & mask
    tail = length - whole
    done = 0
    while done < tail:
        done += 32
        at = length - done
        y = _rotate(y - x, 42) * k0 + v1 & mask
        w0 = w0 + _word(data, at + 16) & mask
        x = _rotate(x, 49) * k0 + w0 & mask
        w0 = w0 + v0 & mask
        v0, v1 = _weak_hash(data, at, v0, v1)
    x, y = _hash_16(x, v0), _hash_16(y, w0)
    return _hash_16(x + v1 & mask, w1) + y & mask, _hash_16(x + w1 & mask, y + v1 & mask)


def _weak_hash(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds into two words."""
    d0, d1, d2, d3 = (_word(data, at + offset) for offset in (0, 8, 16, 24))
    a = a + d0 & _MASK
    b = _rotate(b + a + d3, 21)
    c = a
    a = a + d1 + d2 & _MASK
    b = b + _rotate(a, 44) & _MASK
    return a + d3 & _MASK, b + c & _MASK


def _seeded(data: bytes, low: int, high: int) -> tuple[int, int]:
    return _murmur(data, low, high) if len(data) < 128 else _long(data, low, high)


def city_hash_128(data: bytes) -> bytes:
    """
    Hash ``data`` as ClickHouse does for its compressed blocks.

    Args:
        data: any bytes, read as a whole.

    Returns:
        16 bytes: the low word, then the high word, both little-endian, as they stand before a compressed
        block.
    """
    length = len(data)
    if length >= 16:
        pair = _seeded(data[16:], _word(data, 0) ^ _K3, _word(data, 8))
    elif length >= 8:
        pair = _seeded(b"", _word(data, 0) ^ length * _K0 & _MASK, _word(data, length - 8) ^ _K1)
    else:
        pair = _seeded(data, _K0, _K1)
    return _two_words.pack(*pair)


def fastest_city_hash_128() -> Callable[[bytes], bytes]:
    """The C implementation where ``clickhouse-cityhash`` is installed, else :func:`city_hash_128`."""
    try:
        module = importlib.import_module("clickhouse_cityhash.cityhash")
    except ImportError:
        return city_hash_128

    def compiled(data: bytes) -> bytes:
        value = module.CityHash128(data)
        # Its integer has the low word first, in the upper half.
        return _two_words.pack(value >> 64, value & _MASK)

    return compiled
