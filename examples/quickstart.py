"""
Emit a few events into the embedded ClickHouse engine and ask SQL about them.

    python examples/quickstart.py [FOLDER]

Needs ``pip install 'activitylog[embedded]'`` and nothing else.
"""

import sys
import tempfile
from pathlib import Path

import clickhouse_connect

import activitylog


def send_message(author: str, channel: str, text: str) -> None:
    """What a service does, and one line that says it was done."""
    activitylog.emit("message.sent", actor=author, target=("channel", channel), length=len(text))


@activitylog.activity("channel.archived")
def archive(channel: str) -> None:
    """Outcome, duration and error come from the decorator."""
    if channel == "general":
        raise PermissionError("the general channel stays")


def main(folder: Path) -> None:
    """Configure, emit, flush, ask."""
    url = f"chdb://{folder}"
    activitylog.configure(url, service_name="chat")

    with activitylog.bind(tenant="acme", session="s-1"):
        send_message("user:ada", "general", "Good morning")
        send_message("user:bob", "general", "Hello Ada")
        activitylog.emit_many("user.activated", ["user:cy", "user:di"], actor="user:ada")
        try:
            archive("general")
        except PermissionError as error:
            print("refused:", error)

    print(activitylog.flush())

    client = clickhouse_connect.get_client(dsn=url)
    print(client.command("SELECT count() FROM activity_events WHERE TenantId = 'acme'"), "events:")
    for row in client.query(
        "SELECT EventName, ActorId, ObjectId, Outcome, DurationUs FROM activity_events ORDER BY Seq"
    ).result_rows:
        print(" ", row)
    client.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary) / "store")
            activitylog.shutdown()
