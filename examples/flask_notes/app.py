"""
Notes on Flask with Flask-Login: who wrote, read, shared and deleted which note.

    flask --app app run

Events go where ACTIVITYLOG_URL says, else into the embedded store ``./data/activity``.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user  # type: ignore[import-untyped]

import activitylog
from activitylog.integrations.flask import ActivityLog

PASSWORD = "notes"
_notes: dict[int, dict[str, Any]] = {}
_numbers = itertools.count(1)

activitylog.configure(
    os.environ.get("ACTIVITYLOG_URL", f"chdb://{Path('data/activity').absolute()}"), service_name="notes"
)
app = Flask(__name__)
app.secret_key = "for this example only"
ActivityLog(app, request_event="request.completed")
login_manager = LoginManager(app)


class User(UserMixin):  # type: ignore[misc]
    """Somebody with a name."""

    def __init__(self, name: str) -> None:
        self.id = name


@login_manager.user_loader
def load_user(name: str) -> User:
    """Who has this session."""
    return User(name)


@app.post("/login")
def log_in() -> dict[str, Any]:
    """By name and password."""
    name = request.form["name"]
    if request.form.get("password") != PASSWORD:
        activitylog.emit("user.login_failed", outcome="failure", user_name=name)
        abort(403)
    user = User(name)
    login_user(user)
    activitylog.emit("user.logged_in")
    return {"name": name}


@app.post("/logout")
@login_required
def log_out() -> dict[str, Any]:
    """End the session."""
    activitylog.emit("user.logged_out")
    logout_user()
    return {}


@app.post("/notes")
@login_required
def write() -> tuple[dict[str, Any], int]:
    """Write a note."""
    number = next(_numbers)
    _notes[number] = {"owner": current_user.id, "text": request.form["text"], "readers": set()}
    activitylog.emit("note.written", object=("note", number), length=len(request.form["text"]))
    return {"note": number}, 201


@app.get("/notes/<int:number>")
@login_required
def read(number: int) -> dict[str, Any]:
    """Read a note of one's own, or one that was shared."""
    note = _found(number)
    if current_user.id not in {note["owner"], *note["readers"]}:
        activitylog.emit("note.read", object=("note", number), outcome="denied")
        abort(403)
    activitylog.emit("note.read", object=("note", number))
    return {"text": note["text"]}


@app.post("/notes/<int:number>/readers")
@login_required
def share(number: int) -> dict[str, Any]:
    """Share a note with several readers: one event each."""
    readers = request.form["names"].split(",")
    _found(number)["readers"].update(readers)
    activitylog.emit_many("note.shared", [{"target": ("user", name)} for name in readers], object=("note", number))
    return {"readers": len(readers)}


@app.get("/notes/export")
@login_required
def export() -> Response:
    """All notes of one's own, streamed; what is emitted meanwhile is the request's."""
    owner = current_user.id

    def lines() -> Any:
        own = [note for note in _notes.values() if note["owner"] == owner]
        yield from (note["text"] + "\n" for note in own)
        activitylog.emit("notes.exported", rows=len(own))

    return Response(lines(), mimetype="text/plain")


def _found(number: int) -> dict[str, Any]:
    if number not in _notes:
        abort(404)
    return _notes[number]
