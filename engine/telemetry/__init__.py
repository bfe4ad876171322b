"""What the engine measures of itself: rates, errors and latency histograms that can be added up."""

from engine.telemetry.logbook import LEVELS, Entry, LogBook, entry_of, line_of
from engine.telemetry.monitor import HOURS_KEPT, MINUTES_KEPT, Figures, Monitor
from engine.telemetry.ratings import HIGHEST, LOWEST, Mean, Rated, find, means, rate, recent
from engine.telemetry.series import Kind, Recorder

__all__ = [
    "HIGHEST",
    "HOURS_KEPT",
    "LEVELS",
    "LOWEST",
    "MINUTES_KEPT",
    "Entry",
    "Figures",
    "Kind",
    "LogBook",
    "Mean",
    "Monitor",
    "Rated",
    "Recorder",
    "entry_of",
    "find",
    "line_of",
    "means",
    "rate",
    "recent",
]
