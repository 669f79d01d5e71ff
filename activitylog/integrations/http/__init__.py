"""
What one HTTP request says about the events of its time, for every framework the same.

``options`` checks what an application sets, ``addresses`` finds the client behind proxies, ``paths`` keeps secrets
out of what is stored of the path, and ``request`` has the request itself: its attributes, found when the first
event asks for them, and :func:`bind_request`.
"""

from activitylog.integrations.http.options import HTTPOptions, http_options
from activitylog.integrations.http.request import RequestContext, bind_request, current_request

__all__ = ["HTTPOptions", "RequestContext", "bind_request", "current_request", "http_options"]
