"""Where events come from other than ``emit``: one module for each framework, imported only by who uses it."""
