"""What the file may say of routes and models, and what of it reaches the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.kernel.values import SECOND
from engine.orchestrator import Strategy, ToolRoute
from engine.providers import Correction
from tests.unit.test_config_load import load, problems


def route(tmp_path: Path, text: str, **environ: str) -> ToolRoute:
    return load(tmp_path, text, environ).orchestrator.tools["message"]


def test_a_route_is_fixed_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    found = route(tmp_path, "")

    assert (found.strategy, found.weights, found.too_slow) == (Strategy.FIXED, (), None)


def test_strategy_weights_and_bound_reach_the_engine(tmp_path: Path) -> None:
    found = route(tmp_path, '[tools.message]\nstrategy = "weighted"\nweights = [3, 1, 0]\ntoo_slow_seconds = 2.5\n')

    assert (found.strategy, found.weights, found.too_slow) == (Strategy.WEIGHTED, (3, 1, 0), 2_500_000_000)


def test_a_provider_put_in_front_takes_its_weight_along(tmp_path: Path) -> None:
    text = '[tools.message]\nstrategy = "weighted"\nweights = [3, 1, 2]\n'

    known = route(tmp_path, text, DEFAULT_AI_PROVIDER="deepseek")
    added = route(tmp_path, text, DEFAULT_AI_PROVIDER="xai")

    assert (known.chain[0], known.weights) == ("deepseek/deepseek-chat", (1, 3, 2))
    assert (added.chain[0], added.weights) == ("xai/grok-3", (3, 3, 1, 2))


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ('strategy = "quickest"', "tools.message.strategy", "fixed"),
        ("weights = [1, 2]", "tools.message.weights", "3 models"),
        ("weights = [0, 0, 0]", "tools.message.weights", "above 0"),
        ("weights = [1, -1, 1]", "tools.message.weights", "0"),
        ("too_slow_seconds = -1.0", "tools.message.too_slow_seconds", "0"),
    ],
)
def test_a_route_that_means_nothing_is_named(tmp_path: Path, lines: str, key: str, words: str) -> None:
    found = problems(tmp_path, f"[tools.message]\n{lines}\n")

    wrong = [sentence for name, sentence in found.items() if name.startswith(key)]
    assert len(wrong) == 1
    assert words in wrong[0]


def test_a_correction_of_a_model_says_only_what_it_changes(tmp_path: Path) -> None:
    text = '[models."deepseek/deepseek-chat"]\ncontext = 64000\njson_schema = true\n'

    found = load(tmp_path, text).orchestrator.models

    assert found == {"deepseek/deepseek-chat": Correction(context=64_000, schema=True)}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[orchestrator.gauges]\ndecay_seconds = 7.0\n", lambda found: found.gauges.decay == 7 * SECOND),
        ("[orchestrator.gauges]\nforget_seconds = 7.0\n", lambda found: found.gauges.forget == 7 * SECOND),
        ("[orchestrator.gauges]\nprior_quality = 0.5\n", lambda found: found.gauges.prior_quality == 0.5),
        ("[orchestrator.gauges]\nprior_weight = 7\n", lambda found: found.gauges.prior_weight == 7),
        ("[orchestrator.gauges]\nmemory = 7\n", lambda found: found.gauges.memory == 7),
        ("[orchestrator.tuning]\nleast = 7\n", lambda found: found.tuning.least == 7),
        ("[orchestrator.tuning]\ntolerance = 7.0\n", lambda found: found.tuning.tolerance == 7),
        ("[orchestrator.tuning]\nthrottled_share = 0.5\n", lambda found: found.tuning.throttled == 0.5),
        ("[orchestrator.tuning]\ncut = 0.5\n", lambda found: found.tuning.cut == 0.5),
        ("[orchestrator.tuning]\nlook_seconds = 7.0\n", lambda found: found.tuning.every == 7),
    ],
)
def test_every_figure_reaches_the_engine(tmp_path: Path, text: str, read: Any) -> None:
    assert read(load(tmp_path, text).orchestrator)
