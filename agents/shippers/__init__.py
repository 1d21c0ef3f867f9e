"""Undercurrent's own shippers: log lines, cgroups and Prometheus series into the raw topics.

A *source* gives records in rounds and writes down what it gives before it gives it; the *loop* hands a
round to Kafka and takes the next one only when Kafka has all of it. So memory is bounded by one round,
a shipper that is killed sends at most one round again, and again in the very same bytes, by which the
intake recognises it.
"""
