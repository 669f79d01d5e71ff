"""A messenger: the project."""
