"""An application that emits one event, which nobody sends unless somebody flushes; not kept on any disk either."""

from __future__ import annotations

import os
from typing import Any

import activitylog
from activitylog.integrations.asgi import ActivityMiddleware

activitylog.configure("console:", service_name="stopped", durability="memory", schedule_delay_millis=600_000)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """One request, or the life of the server."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    activitylog.emit("page.read")
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


app = ActivityMiddleware(answer, flush_seconds=float(os.environ["TEST_FLUSH_SECONDS"]))
