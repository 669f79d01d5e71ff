"""
The load on this project: messages one after the other, users activated in bulk, and many clients at once.

    python load.py --port 8000 --messages 500 --bulk 100 10000 --clients 8 --seconds 10

Prints one JSON object: times in milliseconds. Speaks to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

PASSWORD = "messaging"


class Client:
    """Somebody who has logged in. Each request has a connection of its own, as behind a proxy."""

    def __init__(self, port: int, username: str) -> None:
        self._port = port
        self._cookie = ""
        self.writes: int | None = None
        self.post("/login/", username=username, password=PASSWORD)

    def post(self, path: str, **form: str) -> dict[str, Any]:
        """Ask, and read the answer; an answer that is no success is an error."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._cookie}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        with closing(connection):
            connection.request("POST", path, urlencode(form), {**headers, "Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        for cookie in answer.headers.get_all("Set-Cookie", []):
            if cookie.startswith("sessionid="):
                self._cookie = cookie.partition(";")[0]
        writes = answer.headers.get("X-Database-Writes")
        self.writes = None if writes is None else int(writes)
        return json.loads(body)  # type: ignore[no-any-return]

    def send(self) -> None:
        """Send a message."""
        self.post("/conversations/1/messages/", text="The build is green again, the release goes out at noon.")

    def activate(self, ids: str) -> None:
        """Activate users."""
        self.post("/users/activate/", ids=ids)


def timed(do: Callable[[], None], times: int) -> list[float]:
    """How long it takes, so many times, in milliseconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        found.append((time.perf_counter() - began) * 1000)
    return found


def timed_for(do: Callable[[], None], seconds: float) -> list[float]:
    """How long it takes, again and again for so many seconds, in milliseconds."""
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        found += timed(do, 1)
    return found


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them is."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def peak(port: int, clients: int, seconds: float) -> dict[str, float]:
    """As many messages as so many clients can send at once, for a bounded time."""
    senders = [Client(port, f"member{number}") for number in range(clients)]
    times: list[list[float]] = [[] for _ in senders]
    began = time.perf_counter()

    def work(number: int) -> None:
        times[number] = timed_for(senders[number].send, seconds)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [value for own in times for value in own]
    return {
        "requests_per_second": len(everything) / (time.perf_counter() - began),
        "p50": statistics.median(everything),
        "p99": percentile(everything, 0.99),
        "requests": len(everything),
    }


def main() -> None:
    """Everything, once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--messages", type=int, default=500, help="one after the other")
    parser.add_argument("--bulk", type=int, nargs="*", default=[100], help="so many users are activated at once")
    parser.add_argument("--repeat", type=int, default=5, help="how often each bulk operation is done")
    parser.add_argument("--warm-up", type=float, default=3.0, help="for so many seconds nothing is measured")
    parser.add_argument("--clients", type=int, default=8, help="at once, at the peak")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the peak lasts")
    given = parser.parse_args()

    member, admin = Client(given.port, "member0"), Client(given.port, "admin")
    warm_up = len(timed_for(member.send, given.warm_up))
    messages = timed(member.send, given.messages)
    found: dict[str, Any] = {
        "message": {
            "p50": statistics.median(messages),
            "p99": percentile(messages, 0.99),
            "writes": member.writes,
        },
    }
    for size in given.bulk:
        ids = ",".join(str(number) for number in range(1, size + 1))
        activate = timed(lambda ids=ids: admin.activate(ids), given.repeat)  # type: ignore[misc]
        found[f"bulk_{size}"] = {"p50": statistics.median(activate), "writes": admin.writes}
    if given.clients:
        found["peak"] = peak(given.port, given.clients, given.seconds)
    found["sent"] = warm_up + given.messages + found.get("peak", {}).get("requests", 0)
    found["activated"] = sum(given.bulk) * given.repeat
    print(json.dumps(found))


if __name__ == "__main__":
    main()
