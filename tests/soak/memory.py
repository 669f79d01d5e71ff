"""
What memory a process uses, and what it has of the machine.

The two differ: an allocator keeps what an outage's queue took, in pieces of a page or an arena in which something
still lives. What is *in use* tells a leak from that: Python's own small blocks by their number, what is larger by
the C library's count.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


class _Mallinfo2(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and newer (mallinfo(3))."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def resident_bytes() -> int:
    """What this process has of the machine's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def small_blocks() -> int:
    """Python's blocks in use, each of at most 512 bytes."""
    return sys.getallocatedblocks()


def malloc_bytes() -> int:
    """
    What the C library has given out: what is larger than 512 bytes, and what is not Python's.

    Raises:
        OSError: it is not glibc 2.33 or newer.
    """
    try:
        count = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        raise OSError("mallinfo2 is missing: the soak counts memory with glibc 2.33 or newer") from None
    count.restype = _Mallinfo2
    found = count()
    return int(found.uordblks + found.hblkhd)
