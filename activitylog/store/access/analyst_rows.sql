-- Policies of one user are alternatives. Everybody else sees all rows that their grants allow, whatever the server's
-- users_without_row_policies_can_read_rows says; an analyst sees none here, and those of a tenant by tenant.sql.
CREATE ROW POLICY OR REPLACE $others$on_cluster ON $stored.activity_events
    FOR SELECT USING 1 TO ALL EXCEPT $analyst;
CREATE ROW POLICY OR REPLACE $none$on_cluster ON $stored.activity_events
    FOR SELECT USING 0 TO $analyst;
CREATE ROW POLICY OR REPLACE $others$on_cluster ON $stored.activity_events_hourly
    FOR SELECT USING 1 TO ALL EXCEPT $analyst;
CREATE ROW POLICY OR REPLACE $none$on_cluster ON $stored.activity_events_hourly
    FOR SELECT USING 0 TO $analyst;
CREATE ROW POLICY OR REPLACE $others$on_cluster ON $stored.activity_events_actor_daily
    FOR SELECT USING 1 TO ALL EXCEPT $analyst;
CREATE ROW POLICY OR REPLACE $none$on_cluster ON $stored.activity_events_actor_daily
    FOR SELECT USING 0 TO $analyst;
CREATE ROW POLICY OR REPLACE $others$on_cluster ON $stored.activity_counters
    FOR SELECT USING 1 TO ALL EXCEPT $analyst;
CREATE ROW POLICY OR REPLACE $none$on_cluster ON $stored.activity_counters
    FOR SELECT USING 0 TO $analyst;
