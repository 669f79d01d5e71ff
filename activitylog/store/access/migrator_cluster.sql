-- On a cluster: run ON CLUSTER, and make Distributed tables.
GRANT$on_cluster CLUSTER ON *.* TO $migrator;
GRANT$on_cluster READ, WRITE ON REMOTE TO $migrator;
