"""
How to reach a store: one URL, a clickhouse-connect client, and errors that say what to do.

The embedded engine belongs to one process at a time. ClickHouse holds ``<folder>/status`` locked (flock) while the
folder is open and writes its process id there; a second process gets an error that says nothing. So the lock is
looked at before the engine is loaded. Inside one process any number of clients share the engine, on one folder.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from activitylog.exceptions import (
    ConfigurationError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
)
from activitylog.url import DestinationURL, parse
from otel_clickhouse.unstored import forget_unstored

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ACCEPTED: Final = (
    "clickhouse://user:password@host:8123/database, clickhouses:// (TLS), http://, https://, chdb:///abs/dir, "
    "chdb://memory"
)
_TRANSPORT_OPTIONS: Final = frozenset(
    {"ca_cert", "client_cert", "client_cert_key", "compress", "connect_timeout", "send_receive_timeout", "verify"}
)
_OTHER_FOLDER: Final = re.compile(r"already initialized with path '([^']*)'")
_UNKNOWN_DATABASE: Final = 81
_LOGIN_REFUSED: Final = frozenset({192, 193, 194, 516})


def connect(url: str | DestinationURL, *, create_database: bool = False) -> Client:
    """
    Open a client on a store.

    Args:
        url: ``clickhouse://user:password@host:8123/database``, ``clickhouses://`` (TLS, port 8443), the same as
            ``http://`` and ``https://``, ``chdb:///abs/dir`` (the folder is made if need be) or ``chdb://memory``.
        create_database: create the URL's database if the server lacks it.

    Returns:
        A client without a session, to be used by one thread, and closed by the caller.

    Raises:
        ConfigurationError: the URL is none of these.
        StoreLockedError: another process has the folder open.
        StoreUnavailableError: nobody answers, or login or database are refused.
        StoreError: this process has another folder open, or a driver is not installed.

    No message holds the password.
    """
    target = url if isinstance(url, DestinationURL) else _parse(url)
    if target.kind == "chdb":
        return _embedded(target)
    if target.kind == "clickhouse":
        client = _server(target, create_database=create_database)
        _urls[client] = target
        return client
    raise ConfigurationError(f"{str(target)!r} can be sent to, not asked.", hint=f"Accepted: {_ACCEPTED}.")


#: Where the servers' clients are connected to.
_urls: Final[WeakKeyDictionary[Client, DestinationURL]] = WeakKeyDictionary()


def sibling(client: Client, host: str, database: str) -> Client:
    """
    Open a client on another server of the same cluster: at the same port, by the same user.

    Args:
        client: opened by :func:`connect`.

    Raises:
        StoreUnavailableError: nobody answers there, or login or database are refused.
        StoreError: nobody knows where ``client`` is connected to.
    """
    url = _urls.get(client)
    if url is None:
        raise StoreError(
            "The other servers of the cluster cannot be reached: this client was opened in another way.",
            hint="Open it with activitylog.store.connect(URL).",
        )
    return connect(replace(url, host=host, path=f"/{database}"))


def _parse(url: str) -> DestinationURL:
    scheme, separator, rest = url.strip().partition("://")
    schemes = {"http": "clickhouse", "https": "clickhouses"}
    return parse(f"{schemes.get(scheme, scheme)}{separator}{rest}")


def holder(path: str | os.PathLike[str]) -> int | None:
    """
    Which process has the embedded store in this folder open.

    Returns:
        Its process id (of this process, too), 0 when somebody has it open but does not say who, None when it is
        free or there is no store.

    Raises:
        PermissionError: the folder cannot be read.
    """
    try:
        status = os.open(Path(path) / "status", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        # A shared lock: two that look at the same time do not take each other for the holder.
        fcntl.flock(status, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = re.search(rb"PID: (\d+)", os.read(status, 200))
        return int(written[1]) if written else 0
    finally:
        os.close(status)
    return None


def check_unlocked(path: str | os.PathLike[str]) -> None:
    """
    Check that this process may open the embedded store in a folder. Loads no engine.

    Raises:
        StoreLockedError: another process has it open; says which one and how to share it.
        StoreUnavailableError: the folder cannot be read.
    """
    try:
        pid = holder(path)
    except OSError as error:
        raise _cannot_open(os.fspath(path), error.strerror or str(error)) from error
    if pid is not None and pid != os.getpid():
        raise _locked(os.fspath(path), pid)


def _locked(path: str, pid: int) -> StoreLockedError:
    return StoreLockedError(
        f"The store in {path!r} is open in another process{_described(pid)}.",
        hint="One process at a time can open it. Stop that one, or share the store: run "
        f"`activitylog serve --url chdb://{path}` and use its URL, clickhouse://127.0.0.1:8123/default.",
    )


def _described(pid: int) -> str:
    """The process for people: its id and its program. Not its arguments: they hold passwords now and then."""
    if not pid:
        return ""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return f" ({pid})"
    names = [PurePath(arguments[0]).name]
    if len(arguments) > 1 and not arguments[1].startswith("-"):
        names.append(PurePath(arguments[1]).name)  # the script of an interpreter
    program = "".join(char for char in " ".join(names) if char.isprintable())[:80]
    return f" ({pid}: {program})" if program.strip() else f" ({pid})"


def _cannot_open(path: str, reason: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"The store in {path!r} cannot be opened: {reason}.",
        hint="Name a folder that this user can write to, or one that does not exist yet.",
    )


def _embedded(url: DestinationURL) -> Client:
    if url.path != "memory":
        try:
            # The engine's files are readable for everybody who gets into the folder.
            Path(url.path).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_open(url.path, error.strerror or str(error)) from error
        check_unlocked(url.path)
        forget_unstored(url.path)
    try:
        import clickhouse_connect
        from clickhouse_connect.driver.exceptions import ClickHouseError

        return clickhouse_connect.get_client(dsn=url.reveal())
    except ImportError as error:
        raise StoreError(
            "The embedded engine is not installed (chDB, about 900 MB).",
            hint="Run: pip install 'activitylog[embedded]', or use a server: clickhouse://host:8123/database.",
        ) from error
    except ClickHouseError as error:
        raise _embedded_error(url, str(error)) from error


def _embedded_error(url: DestinationURL, text: str) -> StoreError:
    other = _OTHER_FOLDER.search(text)
    if other:
        return StoreError(
            f"{url} cannot be opened: this process has the embedded store {other[1]!r} open.",
            hint="Close that one first, or use another process: the engine opens one folder at a time.",
        )
    if url.path == "memory":
        return StoreUnavailableError(f"{url} cannot be opened: {_first_line(text)}.")
    if (pid := holder(url.path)) is not None:
        return _locked(url.path, pid)
    return _cannot_open(url.path, _first_line(text))


def _server(url: DestinationURL, *, create_database: bool) -> Client:
    unknown = [name for name in url.options if name not in _TRANSPORT_OPTIONS]
    if unknown:
        raise ConfigurationError(
            f"The option {unknown[0]!r} of {url.scheme}://{url.host} is unknown.",
            hint=f"Accepted: {', '.join(sorted(_TRANSPORT_OPTIONS))}.",
        )
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    # The driver logs what it also raises; without a handler Python would print that on standard error.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    database = url.path.strip("/") or None
    options: dict[str, Any] = dict(url.options)
    try:
        client = clickhouse_connect.get_client(
            interface="https" if url.secure else "http",
            host=url.host,
            port=url.port,
            username=url.username or None,
            password=url.password,
            database=None if create_database else database,
            autogenerate_session_id=False,
            **options,
        )
        if create_database and database:
            client.command(f"CREATE DATABASE IF NOT EXISTS {_quoted(database)}")
            client.database = database
    except (ClickHouseError, OSError, ValueError) as error:
        shows_password = bool(url.password) and url.password in str(error)
        raise _server_error(url, error) from (None if shows_password else error)
    return client


def _server_error(url: DestinationURL, error: Exception) -> StoreError:
    code = getattr(error, "code", None)
    if code in _LOGIN_REFUSED:
        return StoreUnavailableError(
            f"{url.host}:{url.port} refuses the user {url.username or 'default'!r}.",
            hint="Check user and password of the URL.",
        )
    if code == _UNKNOWN_DATABASE:
        return StoreUnavailableError(
            f"{url.host}:{url.port} has no database {url.path.strip('/')!r}.",
            hint=f"Create it and its tables: activitylog schema apply --url {url}",
        )
    reason = _first_line(str(error))
    if url.password:
        reason = reason.replace(url.password, "***")
    return StoreUnavailableError(
        f"No ClickHouse answers at {url.host}:{url.port}: {reason}.",
        hint="Check host, port (8123, or 8443 with TLS) and that the server runs. Without one: "
        "chdb:///abs/dir, or `activitylog serve`.",
    )


def _first_line(text: str) -> str:
    """The reason in an error's text: without stack, and without the driver's words around it."""
    innermost = re.search(r"\(Caused by \w+\((.*)\)\)", text)
    line = (innermost[1] if innermost else text).split(", Stack trace")[0].partition("\n")[0]
    return line.strip("\"' ").rstrip(".")[:300] or "no reason given"


def _quoted(name: str) -> str:
    from clickhouse_connect.driver.binding import quote_identifier

    return quote_identifier(name)
