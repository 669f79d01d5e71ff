"""Filters, sampling and deduplication in the Collector: what is kept, what for, and that counts stay right."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.sampling.randomness import SPACE, encode_threshold, threshold_of, weight_of
from otel_otlp import OTLPGRPCLogExporter
from tests.collector.deployment import behind, wait_for_rows
from tests.collector.otelcol import Otelcol
from tests.end_to_end.records import record
from tests.serving import ServedStore

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("otelcol")]

_RANDOM = random.Random(7)
_SAMPLING = ("gateway.yaml", "overlays/sampling.yaml")
_BY_SESSION = (*_SAMPLING, "overlays/sampling-by-session.yaml")


class Rows:
    """What a Collector made of records."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.by_number = {int(row["SpanId"], 16) - 1: row for row in rows}

    def weight(self, number: int) -> float:
        """SampleWeight of the row of a record."""
        return float(self.by_number[number]["SampleWeight"])

    def estimate(self) -> float:
        """How many events all rows stand for."""
        return float(sum(row["SampleWeight"] * row["EventCount"] for row in self.by_number.values()))


@contextmanager
def _sent(collector: Otelcol, records: Sequence[ReadableLogRecord]) -> Iterator[None]:
    exporter = OTLPGRPCLogExporter(f"http://{collector.grpc}")
    assert exporter.export(records) is LogRecordExportResult.SUCCESS
    yield
    exporter.shutdown()


def _thinned(
    store: ServedStore, folder: Path, files: Sequence[str], records: Sequence[ReadableLogRecord], percentage: str
) -> Rows:
    """The rows of records after sampling; a last one that is never sampled says when all have come."""
    last = record(len(records), {"last": True}, event_name="audit.ended")
    client = store.client()
    client.command("TRUNCATE TABLE activity_events")
    # All in one request, and so in one insert: when a row is there, all are.
    environment = behind(store, SAMPLING_PERCENTAGE=percentage)
    with (
        Otelcol([*files, "overlays/unbatched.yaml"], folder, environment=environment) as gateway,
        _sent(gateway, [*records, last]),
    ):
        wait_for_rows(client, 1)
    rows = list(client.query("SELECT * EXCEPT (Resource) FROM activity_events").named_results())
    client.close()
    return Rows([row for row in rows if row["EventName"] != "audit.ended"])


def _of_trace(number: int, attributes: dict[str, Any] | None = None, **more: Any) -> ReadableLogRecord:
    made = record(number, attributes, **more)
    made.log_record.trace_id = _RANDOM.getrandbits(128)
    return made


def _randomness(made: ReadableLogRecord) -> int:
    log_record: LogRecord = made.log_record
    return (log_record.trace_id or 0) % SPACE


class TestByTrace:
    def test_the_same_decisions_as_a_rule_of_ours(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Exactly the traces that ``sample = 0.1, by = "trace"`` keeps, at exactly its weight."""
        made = [_of_trace(number) for number in range(5_000)]
        rows = _thinned(served_store, tmp_path, _SAMPLING, made, "10")
        threshold = threshold_of(0.1)
        assert set(rows.by_number) == {n for n, one in enumerate(made) if _randomness(one) >= threshold}
        assert {row["SampleWeight"] for row in rows.by_number.values()} == {weight_of(threshold)}
        (attributes,) = {tuple(sorted(row["Attributes"].items())) for row in rows.by_number.values()}
        assert dict(attributes) == {
            "activity.sample.by": "trace",
            "activity.sample.threshold": encode_threshold(threshold),
        }
        assert {row["SampleRule"] for row in rows.by_number.values()} == {"collector"}

    def test_a_second_stage_multiplies_the_weight(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Half at the client, a fifth of that here: a tenth of all, by one threshold, each for ten events."""
        first, both = threshold_of(0.5), threshold_of(0.5 * 0.2)
        sampled = {
            "activity.sample.weight": weight_of(first),
            "activity.sample.threshold": encode_threshold(first),
            "activity.sample.by": "trace",
            "activity.sample.rule": "half",
        }
        made = [_of_trace(number, sampled) for number in range(10_000)]
        kept_by_client = [one for one in made if _randomness(one) >= first]
        rows = _thinned(served_store, tmp_path, _SAMPLING, kept_by_client, "20")
        assert set(rows.by_number) == {n for n, one in enumerate(made) if _randomness(one) >= both}
        assert {round(row["SampleWeight"], 9) for row in rows.by_number.values()} == {10.0}
        assert {row["SampleRule"] for row in rows.by_number.values()} == {"half"}

    def test_another_unit_at_the_client(self, served_store: ServedStore, tmp_path: Path) -> None:
        """A weight by session has nothing to do with traces: both stages multiply."""
        sampled = {
            "activity.sample.weight": 4.0,
            "activity.sample.threshold": encode_threshold(threshold_of(0.25)),
            "activity.sample.by": "session",
        }
        made = [_of_trace(number, sampled) for number in range(2_000)]
        rows = _thinned(served_store, tmp_path, _SAMPLING, made, "50")
        assert set(rows.by_number) == {n for n, one in enumerate(made) if _randomness(one) >= threshold_of(0.5)}
        assert {row["SampleWeight"] for row in rows.by_number.values()} == {8.0}

    def test_what_is_never_sampled(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Failures, denials, the audit trail and events without a trace stay, at their weight."""
        kinds: list[tuple[dict[str, Any], str]] = [
            ({"activity.outcome": "failure"}, "order.placed"),
            ({"activity.outcome": "denied", "activity.sample.weight": 3.0}, "order.placed"),
            ({}, "audit.changed"),
        ]
        made = [
            _of_trace(number, dict(kinds[number % 3][0]), event_name=kinds[number % 3][1]) for number in range(300)
        ]
        made += [record(number, event_name="order.placed") for number in range(300, 400)]
        rows = _thinned(served_store, tmp_path, _SAMPLING, made, "0.01")
        assert set(rows.by_number) == set(range(400))
        assert Counter(row["SampleWeight"] for row in rows.by_number.values()) == {1.0: 300, 3.0: 100}
        assert not any("sampling" in name for row in rows.by_number.values() for name in row["Attributes"])

    def test_what_is_filtered(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Health checks are dropped, failures among them."""
        made = [record(0, {"activity.outcome": "failure"}, event_name="healthcheck.served"), record(1)]
        rows = _thinned(served_store, tmp_path, _SAMPLING, made, "100")
        assert set(rows.by_number) == {1}


class TestBySession:
    def test_whole_sessions(self, served_store: ServedStore, tmp_path: Path) -> None:
        """A session is kept or left out as a whole, and the weights say how many events there were."""
        made = [_of_trace(number, {"session.id": f"s{number % 1000}"}) for number in range(6_000)]
        rows = _thinned(served_store, tmp_path, _BY_SESSION, made, "25")
        kept: dict[int, int] = defaultdict(int)
        for number in rows.by_number:
            kept[number % 1000] += 1
        assert set(kept.values()) == {6}
        assert {row["SampleWeight"] for row in rows.by_number.values()} == {4.0}
        # 1,000 sessions at 25 %: the standard deviation of the estimate is 6,000 * sqrt(3 / 1000), 329.
        assert abs(rows.estimate() - 6_000) < 4 * 329

    def test_a_second_stage_multiplies_the_weight(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Also where the client sampled by the session: the two hashes have nothing to do with each other."""
        sampled = {
            "activity.sample.weight": 5.0,
            "activity.sample.threshold": encode_threshold(threshold_of(0.2)),
            "activity.sample.by": "session",
            "activity.sample.rule": "fifth",
        }
        made = [_of_trace(number, {"session.id": f"s{number}", **sampled}) for number in range(500)]
        rows = _thinned(served_store, tmp_path, _BY_SESSION, made, "50")
        assert 150 < len(rows.by_number) < 350
        assert {(row["SampleWeight"], row["SampleRule"]) for row in rows.by_number.values()} == {(10.0, "fifth")}

    def test_events_without_a_session(self, served_store: ServedStore, tmp_path: Path) -> None:
        """They are kept, each for itself."""
        rows = _thinned(served_store, tmp_path, _BY_SESSION, [_of_trace(number) for number in range(100)], "1")
        assert rows.estimate() == len(rows.by_number) == 100


class TestDeduplication:
    def test_counts_are_kept(self, served_store: ServedStore, tmp_path: Path) -> None:
        """Events that differ in nothing but their ids become one for all of them; all others stay as they are."""
        typing = [
            record(
                number,
                {
                    "user.id": f"{number % 3}",
                    "log.record.uid": f"0190163d-8694-739b-aea5-{number:012x}",
                    "activity.seq": number + 1,
                    "activity.producer": "p",
                    "activity.sample.weight": 2.0,
                },
                event_name="message.typing",
            )
            for number in range(300)
        ]
        counted = record(300, {"user.id": "0", "activity.count": 7}, event_name="message.typing")
        others = [record(301 + number, {"user.id": "0"}, event_name="message.sent") for number in range(5)]
        client = served_store.client()
        client.command("TRUNCATE TABLE activity_events")
        with (
            Otelcol(["gateway.yaml"], tmp_path / "gateway", environment=behind(served_store)) as gateway,
            Otelcol(
                ["deduplication.yaml"],
                tmp_path / "deduplication",
                builder="builder-deduplication.yaml",
                environment={"GATEWAY_ENDPOINT": gateway.grpc, "DEDUPLICATION_INTERVAL": "1s"},
            ) as folding,
            _sent(folding, [*typing, counted, *others]),
        ):
            wait_for_rows(client, 9)
        rows = client.query(
            "SELECT EventName, ActorId, EventCount, SampleWeight, Seq, Producer, Attributes, "
            "EventId = toUUID('00000000-0000-0000-0000-000000000000'), abs(now64(9) - Timestamp) < 600 "
            "FROM activity_events ORDER BY EventName, ActorId, EventCount"
        ).result_rows
        folded = [row for row in rows if row[2] == 100]
        assert [row[:6] for row in folded] == [("message.typing", f"{n}", 100, 2.0, 0, "") for n in range(3)]
        assert {tuple(row[6]) for row in folded} == {("activity.rollup.last",)}
        assert [(row[7], row[8]) for row in folded] == [(0, 1)] * 3
        assert [row[:4] for row in rows if row[2] == 7] == [("message.typing", "0", 7, 1.0)]
        assert [row[:4] for row in rows if row[0] == "message.sent"] == [("message.sent", "0", 1, 1.0)] * 5
        client.close()
