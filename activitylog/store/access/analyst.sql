-- Reads the tables for questions. Sees no row until a tenant's role is added: a policy of its own hides them all.
-- Not granted, on purpose: the landing table, table functions (url, file, s3, remote, cluster), temporary tables,
-- dictionaries, system tables beyond what the server gives to everybody.
CREATE ROLE IF NOT EXISTS $analyst$on_cluster;
GRANT$on_cluster SELECT ON $database.activity_events TO $analyst;
GRANT$on_cluster SELECT ON $database.activity_events_hourly TO $analyst;
GRANT$on_cluster SELECT ON $database.activity_events_actor_daily TO $analyst;
GRANT$on_cluster SELECT ON $database.activity_counters TO $analyst;
GRANT$on_cluster SELECT ON $database.activity_schema_migrations TO $analyst;
