-- One tenant's rows, for whoever has the role. With two of these roles a user sees the rows of both tenants.
CREATE ROLE IF NOT EXISTS $tenant_role$on_cluster;
GRANT$on_cluster $analyst TO $tenant_role;
CREATE ROW POLICY OR REPLACE $tenant_role$on_cluster ON $stored.activity_events
    FOR SELECT USING TenantId = $tenant TO $tenant_role;
CREATE ROW POLICY OR REPLACE $tenant_role$on_cluster ON $stored.activity_events_hourly
    FOR SELECT USING TenantId = $tenant TO $tenant_role;
CREATE ROW POLICY OR REPLACE $tenant_role$on_cluster ON $stored.activity_events_actor_daily
    FOR SELECT USING TenantId = $tenant TO $tenant_role;
CREATE ROW POLICY OR REPLACE $tenant_role$on_cluster ON $stored.activity_counters
    FOR SELECT USING TenantId = $tenant TO $tenant_role;
