"""Recordings: the telemetry of an outage as files, laid out as shippers write it, shipped or replayed."""
