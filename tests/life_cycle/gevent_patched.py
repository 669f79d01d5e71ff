"""Configuration of gunicorn: with gevent and --preload Django needs the patches before it is imported."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()
