-- Whose rights the materialized views use: an account that nobody can log in to. It reads what comes in and writes
-- what follows from it. Without it each writer would need SELECT on the tables that it inserts into.
-- Run this again after `activitylog schema apply`: a new view has no definer yet.
CREATE USER IF NOT EXISTS $views$on_cluster HOST NONE;
GRANT$on_cluster SELECT, INSERT ON $stored.activity_events TO $views;
GRANT$on_cluster SELECT ON $stored.activity_events_ingest TO $views;
GRANT$on_cluster INSERT ON $stored.activity_events_hourly TO $views;
GRANT$on_cluster INSERT ON $stored.activity_events_actor_daily TO $views;
GRANT$on_cluster INSERT ON $stored.activity_counters TO $views;
ALTER TABLE $database.activity_events_ingest_mv$on_cluster MODIFY SQL SECURITY DEFINER DEFINER = $views;
ALTER TABLE $database.activity_events_hourly_mv$on_cluster MODIFY SQL SECURITY DEFINER DEFINER = $views;
ALTER TABLE $database.activity_events_actor_daily_mv$on_cluster MODIFY SQL SECURITY DEFINER DEFINER = $views;
ALTER TABLE $database.activity_counters_mv$on_cluster MODIFY SQL SECURITY DEFINER DEFINER = $views;
-- Each view away and back: from an ALTER until the next restart the engine remembers what a view writes otherwise, and a
-- batch that is sent before and again after that counts twice. An insert that begins in this moment misses the view, so
-- this is for when nobody writes yet; where writers are at work, let them rest.
RENAME TABLE $database.activity_events_ingest_mv TO $database.activity_events_ingest_mv_renamed,
    $database.activity_events_ingest_mv_renamed TO $database.activity_events_ingest_mv$on_cluster;
RENAME TABLE $database.activity_events_hourly_mv TO $database.activity_events_hourly_mv_renamed,
    $database.activity_events_hourly_mv_renamed TO $database.activity_events_hourly_mv$on_cluster;
RENAME TABLE $database.activity_events_actor_daily_mv TO $database.activity_events_actor_daily_mv_renamed,
    $database.activity_events_actor_daily_mv_renamed TO $database.activity_events_actor_daily_mv$on_cluster;
RENAME TABLE $database.activity_counters_mv TO $database.activity_counters_mv_renamed,
    $database.activity_counters_mv_renamed TO $database.activity_counters_mv$on_cluster;
