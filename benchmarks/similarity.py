"""How well near matching tells the same question from another, beside measures of overlap: on labelled pairs.

    python -m benchmarks.similarity

`similarity.tsv` holds pairs of prompts, each labelled by a person: `near` where one answer serves both, `far` where it
does not; most of the far ones differ in a single word, because that is where a cache does harm. A measure's precision
is the share of pairs it takes for near that are; one wrong answer served costs more trust than many right ones save
money, so the precision comes first.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.orchestrator.similarity import may_name_a_person, near, words_of

PAIRS = Path(__file__).with_name("similarity.tsv")
Measure = Callable[[str, str], float]


def pairs() -> list[tuple[bool, str, str]]:
    """Whether they are near, and the two prompts."""
    rows = (line.split("\t") for line in PAIRS.read_text().splitlines() if line)
    return [(label == "near", one, other) for label, one, other in rows]


def ours(one: str, other: str) -> float:
    """Near matching as the engine does it, the guard against people's data included."""
    if may_name_a_person(one) or may_name_a_person(other):
        return 0.0
    return float(near(words_of(one), words_of(other)))


def tokens(one: str, other: str) -> float:
    """Jaccard of the sets of words."""
    mine, theirs = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(mine & theirs) / len(mine | theirs)


def trigrams(one: str, other: str) -> float:
    """Cosine of the counts of three letters in a row: what most text similarities come to."""
    mine, theirs = (Counter(text.casefold()[at : at + 3] for at in range(len(text) - 2)) for text in (one, other))
    dot = sum(count * theirs[gram] for gram, count in mine.items())
    return dot / (sum(n * n for n in mine.values()) * sum(n * n for n in theirs.values())) ** 0.5


def judge(measure: Measure, threshold: float) -> tuple[float, float]:
    """Precision and recall of taking pairs at or above a threshold for near. A precision of nothing taken is 1."""
    taken = [label for label, one, other in pairs() if measure(one, other) >= threshold]
    all_near = sum(label for label, _, _ in pairs())
    return (sum(taken) / len(taken) if taken else 1.0), sum(taken) / all_near


def main() -> None:
    found = pairs()
    print(f"{sum(label for label, _, _ in found)} near and {sum(not label for label, _, _ in found)} far pairs")
    print(f"{'measure':<24}{'threshold':>10}{'precision':>11}{'recall':>8}")
    rows: list[tuple[str, Measure, tuple[float, ...]]] = [
        ("near matching", ours, (1.0,)),
        ("words (Jaccard)", tokens, (0.7, 0.8, 0.9, 0.95)),
        ("trigrams (cosine)", trigrams, (0.8, 0.9, 0.95, 0.98)),
    ]
    for name, measure, thresholds in rows:
        for threshold in thresholds:
            precision, recall = judge(measure, threshold)
            print(f"{name:<24}{threshold:>10.2f}{precision:>11.3f}{recall:>8.3f}")
    prompts = [one for _, one, _ in found]
    started = time.perf_counter()
    for prompt in prompts * 20:
        may_name_a_person(prompt)
        words_of(prompt)
    each = (time.perf_counter() - started) / (20 * len(prompts))
    print(f"reading one prompt: {each * 1e6:.0f} µs")


if __name__ == "__main__":
    main()
