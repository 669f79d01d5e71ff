"""Ids of imported events."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from activitylog.integrations.django.moving_in.importing.ids import RowProducer, event_id

NS = 1_777_636_800 * 10**9


class TestEventId:
    """The id of a row's event."""

    def test_the_same_row_has_the_same_id(self) -> None:
        """Whoever imports it."""
        assert event_id("chat.activitylog", 7, NS) == event_id("chat.activitylog", 7, NS)
        assert event_id("chat.activitylog", 7, NS) == "019de368-f600-7007-8000-030b1a0ac899"

    def test_it_is_a_uuid_of_version_7_with_the_time_of_the_event(self) -> None:
        """As all event ids."""
        found = uuid.UUID(event_id("chat.activitylog", 7, NS))
        assert (found.version, found.variant, found.int >> 80) == (7, uuid.RFC_4122, NS // 10**6)

    @given(st.sets(st.integers(0, 2**63 - 1) | st.uuids() | st.text(max_size=20), min_size=2, max_size=20))
    def test_other_rows_have_others(self, keys: set[object]) -> None:
        """Also at the same time, and of keys of any kind; of one table they are of one kind."""
        texts = {str(key): key for key in keys}
        assert len({event_id("chat.activitylog", key, NS) for key in texts.values()}) == len(texts)

    def test_other_tables_have_others(self) -> None:
        """Two databases with the same keys, in one store."""
        assert event_id("eu", 7, NS) != event_id("us", 7, NS)

    def test_keys_that_agree_in_32_bits_differ(self) -> None:
        """A large table."""
        assert event_id("a", 7, NS) != event_id("a", 7 + (1 << 32), NS)


class TestRowProducer:
    """Numbers of a chunk's events."""

    def test_they_are_dense_in_each_chunk(self) -> None:
        """From 1, under a producer that is the chunk."""
        producer = RowProducer("a")
        producer.begin("one")
        first = producer.name
        producer.take(5)
        assert producer.next_id(NS) == (1, event_id("a", 5, NS))
        producer.take(9)
        assert producer.next_id(NS) == (2, event_id("a", 9, NS))
        producer.begin("two")
        producer.take(11)
        assert producer.next_id(NS)[0] == 1
        assert len({first, producer.name}) == 2
        assert len(producer.name) == 11
