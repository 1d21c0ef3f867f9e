"""The incident page: what Kafka says is kept in a book, and shown as JSON, as pages and as they change."""
