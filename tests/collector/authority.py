"""Certificate authorities, and the certificates that they give to servers and clients of loopback."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY: Final = dt.timedelta(days=1)


class Identity(NamedTuple):
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """
    One authority.

    Args:
        folder: for its files.
        name: of it, and of its folder.

    Attributes:
        file: its own certificate, PEM.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._folder / "ca.pem"
        now = dt.datetime.now(dt.UTC)
        own = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def identity(
        self, name: str, *, expired: bool = False, names: Sequence[str] = ("localhost", "127.0.0.1")
    ) -> Identity:
        """
        A certificate.

        Args:
            name: of the files; the same one again renews them in place, each at once.
            expired: since yesterday, instead of valid until tomorrow.
            names: what it is for.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        ends = dt.datetime.now(dt.UTC) + (-_DAY if expired else _DAY)
        subjects = x509.SubjectAlternativeName([_subject(one) for one in names])
        made = (
            x509.CertificateBuilder(
                self._name,
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
                key.public_key(),
                x509.random_serial_number(),
            )
            .not_valid_before(ends - 2 * _DAY)
            .not_valid_after(ends)
            .add_extension(subjects, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        found = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        put(found.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        put(found.certificate, made.public_bytes(Encoding.PEM))
        return found


def _subject(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def put(file: Path, content: bytes) -> None:
    """Write a file at once: whoever reads it finds the old one or the new one."""
    beside = file.with_name(f".{file.name}")
    beside.write_bytes(content)
    beside.replace(file)
