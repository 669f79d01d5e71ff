-- Each view away and back under its own name. The engine remembers what a view writes by the batch's token and by the
-- view: by its name, or, from an ALTER of the view until the next restart, by its UUID. A batch that was sent before
-- such a change and is sent again after it counts twice in a roll-up. Renaming brings the name back at once.
-- An insert that begins while a view is away misses it: `activitylog schema apply` turns writers away for that moment.
-- Whoever runs this by hand stops them first.
RENAME TABLE
    IF EXISTS activity_events_ingest_mv TO activity_events_ingest_mv_renamed,
    IF EXISTS activity_events_ingest_mv_renamed TO activity_events_ingest_mv,
    IF EXISTS activity_counters_mv TO activity_counters_mv_renamed,
    IF EXISTS activity_counters_mv_renamed TO activity_counters_mv,
    IF EXISTS activity_events_hourly_mv TO activity_events_hourly_mv_renamed,
    IF EXISTS activity_events_hourly_mv_renamed TO activity_events_hourly_mv,
    IF EXISTS activity_events_actor_daily_mv TO activity_events_actor_daily_mv_renamed,
    IF EXISTS activity_events_actor_daily_mv_renamed TO activity_events_actor_daily_mv;
