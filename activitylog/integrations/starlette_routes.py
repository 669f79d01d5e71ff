"""
Which route Starlette or FastAPI took, as the template it was declared with: ``/api/orgs/{org}/items/{id}``.

Both leave the route in the scope, without what it is mounted below: of mounts the scope has only the path that was
asked for, with values in it. So the mounts are looked up again, from the outermost router down. FastAPI keeps the
prefixes of included routers apart, too. Nothing is imported of either; where a scope or a router has not the shape
that is known, the template is what can be said for sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from activitylog.integrations.http.request import PartialRoute

#: What a mount's template ends with: the variable for what is left of the path.
_REST: Final = "/{path}"


class RouteOf:
    """
    The template of the route of one scope, asked again and again; None before it is routed, empty in an
    application of neither.

    What ends in a mount (static files, a path that nothing inside has) is the mount's template, with ``{path}``.
    """

    __slots__ = ("_endpoint", "_found", "_route", "_scope")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self._route: Any = None
        self._endpoint: Any = None
        self._found: str | None = None

    def __call__(self) -> str | None:
        scope = self._scope
        route, endpoint = scope.get("route"), scope.get("endpoint")
        if route is None and endpoint is None:
            return None if "router" in scope or "app" in scope else ""
        if route is not self._route or endpoint is not self._endpoint:
            self._found = _found(scope, route, endpoint)
            self._route, self._endpoint = route, endpoint
        return self._found

    def parameters(self) -> Mapping[str, Any]:
        """
        The values of the path's variables.

        Also of what was not routed, because a middleware answered, or there is a slash too many: which parts of
        the path are secrets, the routes know that it would have taken.
        """
        scope, route = self._scope, self()
        found: Mapping[str, Any] = scope.get("path_params") or {}
        if route is not None and not isinstance(route, PartialRoute):
            return found  # all that there is to know
        _, _, path = _roots(scope)
        routes = _routes(scope.get("router") or scope.get("app"))
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        return {**found, **(_early(routes, path) or _early(routes, other))}


class _Place(NamedTuple):
    """Where the mounts lead: their templates, and the routes inside the last one."""

    template: str
    routes: Iterable[Any]


def _found(scope: Mapping[str, Any], route: Any, endpoint: Any) -> str | None:
    own = None if _is_mount(route) else _own_template(scope, route)
    if own is not None and not scope.get("root_path"):
        return own  # as most are
    root, mounted, path = _roots(scope)
    if own is not None and not mounted:
        return root + own
    place = _place(_routes(scope.get("router")), mounted, path)
    if place is None:
        place = _Place(_with_names(mounted, scope.get("path_params")), ())
    if own is None:
        # FastAPI does not say which route of Starlette's it took, nor which mount.
        own = next((_template(route) for route in place.routes if _leads_to(route, endpoint)), None)
        if own is None:
            return PartialRoute(root + place.template + _REST) if mounted else None
    return root + place.template + str(own)


def _early(routes: Iterable[Any], path: str) -> dict[str, str]:
    """The texts of the variables, as the path has them."""
    for route in _candidates(routes):
        pattern = getattr(route, "path_regex", None)
        match = pattern.match(path) if pattern is not None else None
        if _is_mount(route):
            matched = _matched(route, path)
            if matched is not None:
                inside = _early(_routes(route), path[len(matched) :])
                if inside or matched:
                    return {**(match.groupdict() if match else {}), **inside}
        elif match and match.groupdict():
            return dict(match.groupdict())
    return {}


def _roots(scope: Mapping[str, Any]) -> tuple[str, str, str]:
    """What the application is served below, what it mounted below that, and the path without the first."""
    whole, path = str(scope.get("root_path") or ""), str(scope.get("path") or "")
    root = str(scope.get("app_root_path", whole) or "")
    mounted = whole[len(root) :] if whole.startswith(root) else ""
    # A proxy may have taken the root away, and FastAPI was told of it: then it is not in the path either.
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        return root.rstrip("/"), mounted, path[len(root.rstrip("/")) :]
    return "", mounted, path


def _own_template(scope: Mapping[str, Any], route: Any) -> str | None:
    """Of the route by itself, with the prefixes of the routers that it was included by."""
    ours = scope.get("fastapi")
    included = ours.get("effective_route_context") if isinstance(ours, dict) else None
    if included is not None and getattr(included, "original_route", None) is route:
        return _template(included)
    return _template(route)


def _place(routes: Iterable[Any], mounted: str, path: str) -> _Place | None:
    """Follow the mounts that lead along ``mounted``; None when there are none that do."""
    routes = list(_candidates(routes))
    if not mounted:
        return _Place("", routes)
    for route in routes:
        if not _is_mount(route):
            continue
        matched = _matched(route, path)
        if matched is None or not mounted.startswith(matched):
            continue
        inside = _place(_routes(route), mounted[len(matched) :], path[len(matched) :])
        if inside is not None:
            return _Place((_template(route) or "").removesuffix(_REST) + inside.template, inside.routes)
    return None


def _matched(mount: Any, path: str) -> str | None:
    """What of the path a mount takes for itself; a host takes nothing."""
    pattern = getattr(mount, "path_regex", None)
    if pattern is None:
        return ""
    match = pattern.match(path)
    rest = match.groupdict().get("path") if match else None
    return None if rest is None else path[: len(path) - len(rest) - 1]


def _candidates(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, those of FastAPI's included routers with their prefixes."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is None:
            yield route
            continue
        for context in included():
            starlette_route = getattr(context, "starlette_route", None)
            yield context if starlette_route is None else starlette_route


def _with_names(mounted: str, parameters: Any) -> str:
    """Where the mounts cannot be looked up: what was asked for, with the names of the values that are known."""
    names = {str(value): f"{{{name}}}" for name, value in (parameters or {}).items()}
    return "/".join(names.get(part, part) for part in mounted.split("/"))


def _leads_to(route: Any, endpoint: Any) -> bool:
    if route is None or endpoint is None:
        return False
    return getattr(route, "endpoint", None) is endpoint or getattr(route, "app", None) is endpoint


def _is_mount(route: Any) -> bool:
    """Also a host: what has routes inside."""
    return hasattr(type(route), "routes")


def _routes(router: Any) -> Iterable[Any]:
    return getattr(router, "routes", None) or ()


def _template(route: Any) -> str | None:
    template = getattr(route, "path_format", None)
    return template if isinstance(template, str) else None
