"""Real Collectors, from OTLP to rows."""
