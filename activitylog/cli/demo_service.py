"""
The activity of an imagined chat and project service, for ``activitylog demo``: seeded, ordered by time,
streamed.

Six companies with offices in several time zones work in it. A few people do most of it (Zipf); they log
in, work through a session of requests a minute or so apart, and mostly sleep at night and rest at
weekends. Some requests fail, some are denied. Four things stand out and can be found by asking: a bulk
activation (one request, many objects), a bad hour (a database that times out), a night of guessed
passwords from one address, and a bot that works like a clock.

The same seed, number and end give the same events.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, count
from random import Random
from typing import Any, Final

#: Keyword arguments of ``activitylog.emit``, the event name under "event".
Event = dict[str, Any]

SERVICE_NAME: Final = "huddle"
DAYS: Final = 14

_SECOND: Final = 10**9
_HOUR: Final = 3600 * _SECOND
_BY_HOUR: Final = (
    *(0.04, 0.03, 0.02, 0.02, 0.03, 0.06, 0.15, 0.40, 0.80, 1.00, 1.00, 0.95),
    *(0.70, 0.85, 1.00, 0.95, 0.90, 0.70, 0.45, 0.30, 0.25, 0.20, 0.12, 0.07),
)
_WEEKEND: Final = 0.16
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139.0.0.0 Safari/537.36",
    "Huddle/7.4 (iPhone; iOS 18.6)",
    "Huddle/7.4 (Android 16; Pixel 9)",
)
_CHANNELS: Final = (
    "general",
    "random",
    "support",
    "engineering",
    "design",
    "sales",
    "incidents",
    "hiring",
    "lunch",
)


@dataclass(frozen=True, slots=True)
class _Action:
    """Something a person does by one request."""

    name: str
    weight: float
    object_type: str
    method: str
    route: str
    milliseconds: float
    denied: float = 0.0
    new: bool = False
    message: str = ""


_CREATED: Final = "{actor} created {object}"
_COMPLETED: Final = "{actor} completed {object}"
_ACTIONS: Final = (
    _Action("message.sent", 36, "message", "POST", "/channels/{channel}/messages", 34, new=True),
    _Action("channel.opened", 20, "channel", "GET", "/channels/{channel}", 18, denied=0.004),
    _Action("reaction.added", 10, "message", "POST", "/messages/{message}/reactions", 15),
    _Action("task.updated", 8, "task", "PATCH", "/tasks/{task}", 41, denied=0.02),
    _Action("search.performed", 5, "", "GET", "/search", 120),
    _Action("task.commented", 4, "task", "POST", "/tasks/{task}/comments", 36),
    _Action("task.created", 4, "task", "POST", "/projects/{project}/tasks", 52, new=True, message=_CREATED),
    _Action("task.completed", 4, "task", "POST", "/tasks/{task}/completion", 44, message=_COMPLETED),
    _Action("file.downloaded", 3, "file", "GET", "/files/{file}", 85, denied=0.03),
    _Action("file.uploaded", 2, "file", "POST", "/files", 310, new=True),
    _Action("message.edited", 2, "message", "PATCH", "/messages/{message}", 30, denied=0.01),
    _Action("message.deleted", 0.6, "message", "DELETE", "/messages/{message}", 28, denied=0.06),
    _Action("report.exported", 0.5, "project", "POST", "/projects/{project}/reports", 2400, denied=0.02),
    _Action("member.invited", 0.4, "project", "POST", "/projects/{project}/members", 66, denied=0.15),
    _Action("token.created", 0.1, "token", "POST", "/tokens", 25, denied=0.1, new=True),
)
_ACTION_WEIGHTS: Final = tuple(accumulate(action.weight for action in _ACTIONS))


@dataclass(frozen=True, slots=True)
class _Person:
    id: str
    address: str
    agent: str


@dataclass(slots=True)
class _Company:
    """A tenant: its people, what they have made so far, and when they work."""

    name: str
    size: int
    utc_offset_hours: int
    people: list[_Person] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    things: dict[str, int] = field(default_factory=dict)

    def hire(self, random: Random, first_id: int) -> None:
        for number in range(self.size):
            octets = f"{random.randint(1, 254)}.{random.randint(1, 254)}"
            self.people.append(
                _Person(f"{first_id + number}", f"10.{self.size % 250}.{octets}", random.choice(_AGENTS))
            )
        self.weights = list(accumulate(1 / (rank + 1) ** 0.9 for rank in range(self.size)))
        self.things = {"message": 5000, "task": 400, "file": 150, "project": self.size // 8 + 2, "token": 10}

    def thing(self, kind: str, random: Random, *, new: bool) -> str:
        """The id of a thing: the next one, or one of those that are there, mostly a recent one."""
        if kind == "channel":
            return _CHANNELS[min(int(random.paretovariate(1.1)) - 1, len(_CHANNELS) - 1)]
        if new:
            self.things[kind] += 1
        age = 0 if new else int(random.expovariate(0.02)) % self.things[kind]
        return f"{self.name}-{kind[0]}{self.things[kind] - age}"

    def activity_at(self, hour: int) -> float:
        """How busy they are in an hour, counted from 1970-01-01 UTC; a Thursday."""
        local = hour + self.utc_offset_hours
        weekend = (local // 24 + 3) % 7 >= 5
        return self.size * _BY_HOUR[local % 24] * (_WEEKEND if weekend else 1.0)


class _Service:
    """Everything that has a state: companies, the bad hour, and numbers that go up."""

    def __init__(self, random: Random, end_ns: int, days: int) -> None:
        self.random = random
        self.end_ns = end_ns
        self.last_hour = (end_ns - 1) // _HOUR
        self.first_hour = (end_ns - days * 24 * _HOUR) // _HOUR + 1
        self.bad_hour = _a_working_hour(self.last_hour - min(3, days) * 24)
        self.companies = [
            _Company("birchwood", 140, 0),
            _Company("tidewater", 90, -5),
            _Company("orbit-labs", 60, 1),
            _Company("kestrel", 36, 9),
            _Company("papermill", 20, -8),
            _Company("halden", 8, 2),
        ]
        first_ids = accumulate((company.size for company in self.companies), initial=1001)
        for company, first_id in zip(self.companies, first_ids, strict=False):
            company.hire(random, first_id)

    def busyness(self, company: _Company, hour: int) -> float:
        """Share of a company's activity that falls into an hour; of the last one only a part is over."""
        over = (self.end_ns - hour * _HOUR) / _HOUR if hour == self.last_hour else 1.0
        return company.activity_at(hour) * over * self.random.lognormvariate(0, 0.25)

    def session(self, company: _Company, hour: int, length: int) -> Iterator[Event]:
        """One person's requests, the log-in first."""
        random = self.random
        person = random.choices(company.people, cum_weights=company.weights)[0]
        session = f"s{random.getrandbits(48):012x}"
        at = hour * _HOUR + int(random.random() * _HOUR)
        for number in range(length):
            logs_in = number == 0 and length > 2
            action = _LOG_IN if logs_in else random.choices(_ACTIONS, cum_weights=_ACTION_WEIGHTS)[0]
            event = self._request(company, person, action, at)
            event["session"] = session
            yield event
            at += int(random.expovariate(1 / 40) * _SECOND)

    def _request(self, company: _Company, person: _Person, action: _Action, at: int) -> Event:
        random = self.random
        at = self._not_later_than_now(at)
        kind = action.object_type
        thing = person.id if kind == "user" else company.thing(kind, random, new=action.new) if kind else ""
        event = _event(action.name, at, company.name, ("user", person.id), random)
        if kind:
            event["object"] = (kind, thing)
        if action.name == "message.sent":
            event["target"] = ("channel", company.thing("channel", random, new=False))
        elif action.name == "search.performed":
            event["results"] = int(random.expovariate(0.1))
        elif action.name == "file.uploaded":
            event["file.size"] = int(random.lognormvariate(12, 2))
        if action.message:
            event["message"] = action.message.format(actor=person.id, object=thing)
        milliseconds = action.milliseconds * random.lognormvariate(0, 0.5)
        status = 201 if action.new else 200
        draw = random.random()
        if at // _HOUR == self.bad_hour and action.method != "GET" and draw < 0.4:
            status, milliseconds = 503, 5000 + milliseconds
            event["error"] = "DatabaseTimeout"
        elif draw < action.denied:
            status = 403
        elif draw < action.denied + 0.004:
            status = 500
            event["error"] = random.choice(("KeyError", "DatabaseTimeout", "UpstreamUnavailable"))
        _add_request(event, action, status, milliseconds)
        event["client.address"] = person.address
        event["user_agent.original"] = person.agent
        return event

    def _not_later_than_now(self, at: int) -> int:
        if at < self.end_ns:
            return at // 1000 * 1000
        # Sessions that would go on after now are pressed into the hour that has just begun.
        begun = self.end_ns - self.last_hour * _HOUR
        return (self.end_ns - 1 - int(self.random.random() * begun)) // 1000 * 1000

    def bulk_activation(self, people: int) -> Iterator[Event]:
        """An administrator activates a whole list by one request."""
        company = self.companies[0]
        admin = company.people[2]
        at = self._not_later_than_now((self.bad_hour - 27) * _HOUR + 11 * 60 * _SECOND)
        request = f"{self.random.getrandbits(64):016x}"
        for number in range(people):
            moment = at + number * 400_000
            event = _event("user.activated", moment, company.name, ("user", admin.id), self.random)
            event["object"] = ("user", f"{20_001 + number}")
            event["request_id"] = request
            event["source"] = "spreadsheet"
            yield event

    def guessed_passwords(self, tries: int) -> Iterator[Event]:
        """One address tries to log in as many people, a try every few seconds, in a night hour."""
        company = self.companies[1]
        at = self._not_later_than_now((self.bad_hour // 24) * 24 * _HOUR - 20 * _HOUR)
        for _ in range(tries):
            at = self._not_later_than_now(at + int(self.random.expovariate(1 / 4) * _SECOND))
            event = _event("user.logged_in", at, company.name, ("client", "203.0.113.77"), self.random)
            event["object"] = ("user", self.random.choice(company.people).id)
            event["error"] = "InvalidCredentials"
            _add_request(event, _LOG_IN, 401, 210 * self.random.lognormvariate(0, 0.1))
            event["client.address"] = "203.0.113.77"
            event["user_agent.original"] = "python-requests/2.32"
            yield event

    def clockwork(self) -> Iterator[Event]:
        """A bot that deploys every six hours; the release of the bad hour is taken back."""
        for hour in range(self.first_hour + 1, self.last_hour):
            if hour % 6 != self.bad_hour % 6:
                continue
            version = f"2.{hour // 6 % 1000}.0"
            at = hour * _HOUR + 2 * 60 * _SECOND
            event = _event("release.deployed", at, "", ("service", "deploy-bot"), self.random)
            event["object"] = ("release", version)
            event["duration"] = round(self.random.uniform(70, 140), 3)
            event["message"] = f"Release {version} is live"
            yield event
            if hour == self.bad_hour:
                yield event | {
                    "event": "release.rolled_back",
                    "timestamp": event["timestamp"] + 51 * 60 * _SECOND,
                    "message": f"Release {version} was taken back: the database timed out",
                }


_LOG_IN: Final = _Action("user.logged_in", 0, "user", "POST", "/login", 210, denied=0.0)


def generate(events: int, *, seed: int, end_ns: int, days: int = DAYS) -> Iterator[Event]:
    """
    The activity of the last days.

    Args:
        events: how many, exactly.
        seed: of everything that is random.
        end_ns: when the activity ends, in nanoseconds since the epoch.
        days: how long it lasts.

    Yields:
        Events in the order of their time, as keyword arguments of ``emit`` with the name under "event".
    """
    service = _Service(Random(seed), end_ns, days)  # noqa: S311 - a demonstration, not a secret
    special = [
        *service.bulk_activation(min(240, events // 100)),
        *service.guessed_passwords(min(400, events // 100)),
        *list(service.clockwork())[: events // 100],
    ]
    numbers = count()
    waiting = [(event["timestamp"], next(numbers), event) for event in special]
    heapq.heapify(waiting)
    for hour, company, share in _plan(service, events - len(special)):
        while waiting and waiting[0][0] < hour * _HOUR:
            yield heapq.heappop(waiting)[2]
        for event in _hour_of_work(service, company, hour, share):
            heapq.heappush(waiting, (event["timestamp"], next(numbers), event))
    while waiting:
        yield heapq.heappop(waiting)[2]


def _hour_of_work(service: _Service, company: _Company, hour: int, events: int) -> Iterator[Event]:
    """As many sessions as it takes for that many events; each may last into the hours after."""
    given = 0
    while given < events:
        length = min(events - given, 1 + int(service.random.expovariate(1 / 16)))
        given += length
        yield from service.session(company, hour, length)


def _plan(service: _Service, events: int) -> Iterator[tuple[int, _Company, int]]:
    """How many events each company gives to each hour; together exactly as many as asked for."""
    cells = [
        (hour, company, service.busyness(company, hour))
        for hour in range(service.first_hour, service.last_hour + 1)
        for company in service.companies
    ]
    per_weight = events / math.fsum(weight for _, _, weight in cells)
    reached = 0.0
    given = 0
    for hour, company, weight in cells[:-1]:
        reached += weight * per_weight
        share = min(round(reached), events) - given
        given += share
        yield hour, company, share
    yield cells[-1][0], cells[-1][1], events - given


def _event(name: str, at: int, tenant: str, actor: tuple[str, str], random: Random) -> Event:
    request = f"{random.getrandbits(64):016x}"
    event: Event = {"event": name, "timestamp": at, "actor": actor, "request_id": request}
    if tenant:
        event["tenant"] = tenant
    return event


def _add_request(event: Event, action: _Action, status: int, milliseconds: float) -> None:
    if status >= 400:
        event["outcome"] = "denied" if status in (401, 403) else "failure"
    event["duration"] = round(milliseconds / 1000, 6)
    event["http.request.method"] = action.method
    event["http.route"] = action.route
    event["http.response.status_code"] = status


def _a_working_hour(hour: int) -> int:
    """14:00 UTC of that day, or of the Friday before a weekend."""
    day = hour // 24
    while (day + 3) % 7 >= 5:
        day -= 1
    return day * 24 + 14
