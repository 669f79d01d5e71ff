"""Event ids and sequence numbers."""

from __future__ import annotations

import threading
import uuid

from hypothesis import given
from hypothesis import strategies as st

from activitylog.identity import Producer

NODE = 0x2AAAAAAAAAA


class TestProducer:
    def test_ids_are_uuids_of_version_7(self) -> None:
        """The id carries the event's time, the number and the producer, in the layout of its module."""
        producer = Producer(NODE)
        seq, uid = producer.next_id(1_700_000_000_123_456_789)
        assert (seq, uid) == (1, "018bcfe5-687b-7001-8000-02aaaaaaaaaa")
        assert uuid.UUID(uid).version == 7
        assert uuid.UUID(uid).variant == uuid.RFC_4122

    def test_numbers_are_dense_from_one(self) -> None:
        """A gap in the numbers of a producer is a lost event."""
        producer = Producer(NODE)
        assert [producer.next_id(0)[0] for _ in range(3)] == [1, 2, 3]

    def test_the_name_is_the_node(self) -> None:
        """activity.producer is the part of the id that all events of a process share."""
        assert Producer(NODE).name == "2aaaaaaaaaa"
        assert Producer().name != Producer().name

    def test_ids_are_unique_within_one_millisecond(self) -> None:
        """An import may give thousands of events the same time: more than the twelve bits of one group."""
        producer = Producer(NODE)
        assert len({producer.next_id(0)[1] for _ in range(20_000)}) == 20_000

    def test_ids_are_unique_across_threads(self) -> None:
        """Four threads, no lock, no duplicate; the high part of the number changes on the way."""
        producer = Producer(NODE)
        ids: list[list[str]] = [[] for _ in range(4)]
        threads = [
            threading.Thread(target=lambda mine=mine: mine.extend(producer.next_id(0)[1] for _ in range(10_000)))
            for mine in ids
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({uid for mine in ids for uid in mine}) == 40_000

    @given(st.integers(min_value=0, max_value=2**63 - 1))
    def test_any_time_gives_a_valid_id(self, timestamp_ns: int) -> None:
        """The id's clock bounds the event's time to the millisecond."""
        _, uid = Producer(NODE).next_id(timestamp_ns)
        assert uuid.UUID(uid).int >> 80 == timestamp_ns // 1_000_000
