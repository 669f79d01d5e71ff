"""
The same against a ClickHouse server: apply the schema once, then emit from any number of processes.

    python examples/clickhouse_server.py clickhouse://user:password@host:8123/activity

Without a URL it starts ``activitylog serve`` on a free port of this machine: the embedded engine behind
ClickHouse's HTTP interface, which takes the place of a server on a laptop.
"""

import sys
import tempfile

import activitylog
from activitylog import store
from activitylog.server import start_server


def main(url: str) -> None:
    """Apply the migrations as `activitylog schema apply` does, emit, and read what arrived."""
    client = store.connect(url, create_database=True)
    for step in store.apply(client):
        print("applied", step)

    activitylog.configure(url, service_name="billing", resource_attributes={"deployment.environment.name": "demo"})
    for number in range(1000):
        activitylog.emit("invoice.sent", actor="service:billing", object=("invoice", number), amount=number * 1.5)
    print(activitylog.shutdown())

    question = "SELECT count(), uniqExact(ObjectId), sum(toFloat64(Attributes['amount'])) FROM activity_events"
    print(client.query(f"{question} WHERE EventName = 'invoice.sent'").result_rows)
    client.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder, start_server(folder, port=0) as server:
            main(server.url)
