"""The laboratory: what history says under other rules, and about the CPU that a load needs. Pure."""
