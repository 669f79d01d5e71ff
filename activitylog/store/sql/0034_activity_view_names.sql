-- The view that 0033 altered, away and back under its own name: see 0031.
RENAME TABLE
    IF EXISTS activity_events_ingest_mv TO activity_events_ingest_mv_renamed,
    IF EXISTS activity_events_ingest_mv_renamed TO activity_events_ingest_mv;
