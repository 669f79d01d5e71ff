-- What one analyst may cost. readonly = 2: no writes, no DDL, settings may be changed within these bounds (the
-- drivers send some); a bound of 0 would mean none, hence MIN 1. With serialize_query_plan = 1 a cluster would not
-- apply the policies of the shards' tables; distributed_product_mode lets questions join Distributed tables.
CREATE SETTINGS PROFILE OR REPLACE $analyst$on_cluster SETTINGS
    readonly = 2 CONST,
    allow_ddl = 0 CONST,
    allow_introspection_functions = 0 CONST,
    serialize_query_plan = 0 CONST,
    distributed_product_mode = 'global',
    query_cache_share_between_users = 0 CONST,
    max_execution_time = 60 MIN 1 MAX 60,
    max_memory_usage = 10000000000 MIN 1 MAX 10000000000,
    max_threads = 8 MIN 1 MAX 8,
    max_result_rows = 1000000 MIN 1 MAX 1000000,
    result_overflow_mode = 'throw' CONST,
    max_concurrent_queries_for_user = 10 MIN 1 MAX 10
TO $analyst;
CREATE QUOTA OR REPLACE $analyst$on_cluster KEYED BY user_name
    FOR INTERVAL 1 HOUR MAX queries = 2000, errors = 500, read_rows = 100000000000, execution_time = 3600
TO $analyst;
