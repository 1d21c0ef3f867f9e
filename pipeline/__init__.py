"""The thinking: bytes to signals, signals to changes, changes to words. Pure and deterministic."""
