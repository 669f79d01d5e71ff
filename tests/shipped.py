"""The Collector configurations that are shipped, and which of them belong together."""

from __future__ import annotations

import re
from pathlib import Path

CONFIGURATIONS = Path(__file__).parents[1] / "collector-config"
#: What is no configuration of a Collector: the builder's own files, and files of others.
BUILDERS = re.compile(r"builder.*|docker-compose.*|compose.*|values.*")
CONFIGURATION = re.compile(r"--config[ =]([\w./-]+\.yaml)")


def shipped() -> list[Path]:
    """Whole configurations: those with pipelines, beside the overlays."""
    return sorted(
        path
        for path in CONFIGURATIONS.glob("*.yaml")
        if not BUILDERS.fullmatch(path.name) and "pipelines:" in path.read_text()
    )


def documented() -> list[tuple[str, ...]]:
    """Each series of ``--config`` in a line of a document or a comment; and each overlay after what it names."""
    found: set[tuple[str, ...]] = set()
    for path in [*CONFIGURATIONS.rglob("*.yaml"), *CONFIGURATIONS.rglob("*.md")]:
        text = path.read_text()
        for line in text.splitlines():
            given = tuple(CONFIGURATION.findall(line))
            if given and all((CONFIGURATIONS / name).is_file() for name in given):
                found.add(given)
        if path.parent.name == "overlays":
            heading = " ".join(line.lstrip("# ") for line in text.split("\n\n")[0].splitlines())
            overlay = str(path.relative_to(CONFIGURATIONS))
            named = re.search(r"\bafter ((?:[\w./-]+\.yaml(?:, | or )?)+)", heading)
            bases = re.findall(r"[\w./-]+\.yaml", named[1]) if named else []
            found |= {(*chain, overlay) for base in bases for chain in _with_base(base)}
    return sorted(chain for chain in found if _is_whole(chain))


def _with_base(name: str) -> list[tuple[str, ...]]:
    """An overlay after another one stands after what that one stands after, too."""
    path = CONFIGURATIONS / name
    if not path.is_file():
        return []
    if path.parent.name != "overlays":
        return [(name,)]
    heading = " ".join(line.lstrip("# ") for line in path.read_text().split("\n\n")[0].splitlines())
    named = re.search(r"\bafter ((?:[\w./-]+\.yaml(?:, | or )?)+)", heading)
    bases = re.findall(r"[\w./-]+\.yaml", named[1]) if named else []
    return [(*chain, name) for base in bases for chain in _with_base(base)]


def _is_whole(chain: tuple[str, ...]) -> bool:
    return any("pipelines:" in (CONFIGURATIONS / name).read_text() for name in chain)
