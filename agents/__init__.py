"""The shell: what touches Kafka, Slack, files and clocks. Read intake, correlate, notify, in this order."""
