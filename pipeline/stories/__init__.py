"""Stories: timed sequences of what sources say, with what Undercurrent is to answer.

`language` reads them, `pen` writes what they say as raw records, `teller` drives intake and core by that.
"""

from pipeline.stories.language import StoryError
from pipeline.stories.teller import START, Teller, answered, difference, spoken

__all__ = ["START", "StoryError", "Teller", "answered", "difference", "spoken"]
