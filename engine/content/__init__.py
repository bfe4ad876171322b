"""What is said to fans: templates, the hard blocks, the disclosure, and the one way through all of them."""

from engine.content.moderation import Severity, Verdict, check, is_crisis
from engine.content.preparation import Blocked, Prepared, prepare, screen
from engine.content.risk import Level, Risk, assess
from engine.content.row import Category
from engine.content.settings import ContentSettings
from engine.content.templates import VARIABLES, has_variables, library, preview, render, validate

__all__ = [
    "VARIABLES",
    "Blocked",
    "Category",
    "ContentSettings",
    "Level",
    "Prepared",
    "Risk",
    "Severity",
    "Verdict",
    "assess",
    "check",
    "has_variables",
    "is_crisis",
    "library",
    "prepare",
    "preview",
    "render",
    "screen",
    "validate",
]
