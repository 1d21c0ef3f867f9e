"""Chaos: whatever happens to workers, broker and Slack, people read what they would have read anyway."""
