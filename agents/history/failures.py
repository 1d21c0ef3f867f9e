"""What can stand in the way of reading history, each with an exit code of its own (docs/replay.md)."""


class HistoryError(Exception):
    """History cannot be read; the message says why and what helps."""

    exit_code = 1


class EmptyError(HistoryError):
    """Nothing was written in the span that was asked for."""

    exit_code = 3


class RetentionError(HistoryError):
    """Kafka has deleted what was asked for."""

    exit_code = 4


class UnknownTopicError(HistoryError):
    """There is no such topic, or none that this user may see."""

    exit_code = 5


class ForbiddenError(HistoryError):
    """This user may not log in, or not read."""

    exit_code = 6


class NewerVersionError(HistoryError):
    """Records were written by a newer Undercurrent than this one."""

    exit_code = 7
