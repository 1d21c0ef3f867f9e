"""What the incident page shows: a bounded `Book` of what was said, and the `Answers` drawn from it."""

from pipeline.page.answers import Answers
from pipeline.page.book import Book, Limits, Record

__all__ = ["Answers", "Book", "Limits", "Record"]
