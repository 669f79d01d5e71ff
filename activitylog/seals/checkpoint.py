"""
Checkpoints: how far all chains went at one time, signed, to be kept where the database's owner cannot write.

The form is C2SP's signed note (https://c2sp.org/signed-note): a text, an empty line, and a line with a signature
by Ed25519 that any implementation can check::

    activitylog/example
    2026-01-31T12:00:00Z
    0a1b2c3d4e5 1 1204 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef

    — example 9aM2+k9C...

Of each producer: its name, the first and the last number that are sealed, and the chain's hash at the last one.
Where seals are missing there is such a line for each piece of the chain. Signing needs ``cryptography`` (the extra
``seals``).
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from activitylog.exceptions import ConfigurationError, StoreError

_ED25519: Final = b"\x01"
_DASH: Final = "\u2014 "


class Piece(NamedTuple):
    """Seals of one producer that follow one another: numbers from first to last, the hash there in hexadecimal."""

    first: int
    last: int
    chain: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    Chains as they were.

    Attributes:
        origin: what it is about, without spaces: ``activitylog/<name of the key>``.
        time: ISO 8601 in UTC.
        chains: producer -> the pieces of its chain, oldest first: one, unless seals are missing.
    """

    origin: str
    time: str
    chains: Mapping[str, Sequence[Piece]]

    def text(self) -> str:
        """What is signed."""
        lines = [self.origin, self.time]
        lines += [f"{producer} {first} {last} {chain}" for producer, (first, last, chain) in self.pieces()]
        return "".join(f"{line}\n" for line in lines)

    def pieces(self) -> Iterator[tuple[str, Piece]]:
        """Each piece, and whose it is."""
        for producer, pieces in sorted(self.chains.items()):
            for piece in pieces:
                yield producer, piece


def new_key(name: str) -> tuple[str, str]:
    """
    A key pair, as texts ``name+private`` for the signer and ``name+id+public`` for everybody.

    Raises:
        ConfigurationError: the name has spaces or a plus sign, or ``cryptography`` is not installed.
    """
    if not name or any(char.isspace() or char == "+" for char in name):
        raise ConfigurationError(f"A key cannot be called {name!r}.", hint="Give a name without spaces and '+'.")
    key = _ed25519().Ed25519PrivateKey.generate()
    return f"{name}+{_b64(key.private_bytes_raw())}", _verifier(name, key.public_key().public_bytes_raw())


def sign(checkpoint: Checkpoint, secret: str) -> str:
    """
    The signed note.

    Raises:
        ConfigurationError: the text is no private key.
    """
    name, key = _private(secret)
    text = checkpoint.text()
    public = key.public_key().public_bytes_raw()
    signature = _key_id(name, public) + key.sign(text.encode())
    return f"{text}\n{_DASH}{name} {_b64(signature)}\n"


def read(note: str, verifier: str) -> Checkpoint:
    """
    The checkpoint in a signed note.

    Args:
        verifier: the public key, ``name+id+public``.

    Raises:
        StoreError: it is no such note, or no signature in it is by this key.
        ConfigurationError: the text is no public key.
    """
    name, public = _public(verifier)
    text, found, signatures = note.partition(f"\n\n{_DASH}")
    text += "\n"
    lines = f"{_DASH}{signatures}".splitlines() if found else []
    if not any(_is_by(line, name, public, text) for line in lines):
        raise StoreError(
            "The checkpoint has no signature by this key.", hint="Compare the key, and where it is from."
        )
    origin, time, *lines = text.splitlines()
    chains: dict[str, list[Piece]] = defaultdict(list)
    try:
        for producer, first, last, chain in (line.split(" ") for line in lines):
            chains[producer].append(Piece(int(first), int(last), chain))
    except ValueError as error:
        raise StoreError("The checkpoint is signed, and not readable.") from error
    return Checkpoint(origin, time, dict(chains))


def secret_of(path: Path) -> str:
    """
    The private key in a file.

    Raises:
        ConfigurationError: it cannot be read, or others than its owner can.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path} can be read by others.", hint=f"Run: chmod 600 {path}")
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"The key {path} cannot be read: {error.strerror}.") from None


def _is_by(line: str, name: str, public: bytes, text: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        signer, encoded = line.removeprefix(_DASH).split(" ")
        signature = b64decode(encoded, validate=True)
        if signer != name or signature[:4] != _key_id(name, public) or _b64(signature) != encoded:
            return False
        _ed25519().Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
    except (ValueError, BinasciiError, InvalidSignature):
        return False
    return True


def _private(secret: str) -> tuple[str, Any]:
    name, _, encoded = secret.strip().partition("+")
    try:
        return name, _ed25519().Ed25519PrivateKey.from_private_bytes(b64decode(encoded, validate=True))
    except (ValueError, BinasciiError):
        raise ConfigurationError(
            "This is no private key of checkpoints.",
            hint="Make one with: activitylog seals new-key NAME --to FILE",
        ) from None


def _public(verifier: str) -> tuple[str, bytes]:
    name, _, rest = verifier.strip().partition("+")
    _, _, encoded = rest.partition("+")
    try:
        public = b64decode(encoded, validate=True)[1:]
    except (ValueError, BinasciiError):
        public = b""
    if len(public) != 32 or _verifier(name, public) != verifier.strip():
        raise ConfigurationError("This is no public key of checkpoints.", hint="It reads name+id+key.")
    return name, public


def _verifier(name: str, public: bytes) -> str:
    return f"{name}+{_key_id(name, public).hex()}+{_b64(_ED25519 + public)}"


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _b64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise ConfigurationError(
            "Checkpoints are signed with the package 'cryptography', which is not installed.",
            hint="Run: pip install 'activitylog[seals]'.",
        ) from None
    return ed25519
