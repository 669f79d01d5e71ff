-- What was kept or dropped as a whole when this row was sampled: session, actor, trace, tenant or the name of an
-- attribute; empty for rows that were decided one by one. Computed from the attribute, which stays in the map: writers
-- of any version fill it without knowing it.
ALTER TABLE activity_events
    ADD COLUMN IF NOT EXISTS SampleBy LowCardinality(String) DEFAULT Attributes['activity.sample.by'] CODEC(ZSTD(1));
