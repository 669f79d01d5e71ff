"""What the ways into ClickHouse cost: directly, through Collectors, through Rotel."""
