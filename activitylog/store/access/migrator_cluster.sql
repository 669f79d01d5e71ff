-- On a cluster: run ON CLUSTER, make Distributed tables, and wait for replicas (archive, erase).
GRANT$on_cluster CLUSTER ON *.* TO $migrator;
GRANT$on_cluster READ, WRITE ON REMOTE TO $migrator;
GRANT$on_cluster SYSTEM SYNC REPLICA ON $database.* TO $migrator;
