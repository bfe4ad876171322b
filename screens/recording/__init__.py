"""Recordings of what a console sees: made, read and played. The format is in docs/replay.md."""

from screens.recording.answers import Answers
from screens.recording.frames import RecordingError
from screens.recording.marks import WORDS
from screens.recording.past import copy_past, instant_of
from screens.recording.player import SPEEDS, Player, Standing
from screens.recording.reading import Header, Mark, Recording
from screens.recording.recorder import Recorder
from screens.recording.tape import Tape
from screens.recording.taping import MOST_BYTES, Taping

__all__ = [
    "MOST_BYTES",
    "SPEEDS",
    "WORDS",
    "Answers",
    "Header",
    "Mark",
    "Player",
    "Recorder",
    "Recording",
    "RecordingError",
    "Standing",
    "Tape",
    "Taping",
    "copy_past",
    "instant_of",
]
