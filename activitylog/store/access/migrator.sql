-- Makes and changes the tables: `activitylog schema apply`, archive, erase. Has no rights outside of the database
-- but the last one, and makes no users.
CREATE ROLE IF NOT EXISTS $migrator$on_cluster;
GRANT$on_cluster SHOW, SELECT, INSERT, CREATE TABLE, CREATE VIEW, CREATE DATABASE, ALTER TABLE, ALTER VIEW,
    DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE ON $database.* TO $migrator;
GRANT$on_cluster SET DEFINER ON $views TO $migrator;
-- Roll-ups are repaired after the inserts that are under way; without this, one of seconds may count twice.
GRANT$on_cluster SELECT(query_id, query_kind) ON system.processes TO $migrator;
