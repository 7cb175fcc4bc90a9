"""Our way beside its named alternatives, as ratios of one run.

``pytest tests/benchmarks --benchmark-enable -s -m "slow or not slow"`` measures; add
``--benchmark-json FILE`` to keep the ratios (``extra_info`` of each benchmark). Without
``--benchmark-enable``, as in the suite, everything runs once and only correctness is asserted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

Way = Callable[[], Any]


class Beside:
    """Times our way and its alternatives in turn, so that a slow minute slows all alike."""

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark

    def __call__(
        self,
        ours: Way,
        alternatives: Mapping[str, Way],
        rounds: int = 3,
        repeated: Mapping[str, int] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Results of both; ratio = time of the alternative / ours, each the least of its rounds.

        repeated: how often an alternative would have to run for the work that ours does at once.
        """
        result = ours()
        others = {name: way() for name, way in alternatives.items()}
        if self._benchmark.disabled:
            self._benchmark(lambda: None)  # a fixture that is not used is a warning
            return result, others
        best = self._interleaved({"": ours, **alternatives}, rounds)
        self._benchmark.pedantic(ours, rounds=rounds)
        for name in alternatives:
            best[name] *= (repeated or {}).get(name, 1)
        told = {
            name: {"seconds": best[name], "ratio": best[name] / best[""]} for name in alternatives
        }
        self._benchmark.extra_info |= {
            "ours": best[""], "alternatives": told, "torch_threads": torch.get_num_threads(),
            "omp_threads": os.environ.get("OMP_NUM_THREADS", ""),
        }  # fmt: skip
        for name, values in told.items():
            print(
                f"\n{self._benchmark.name}: {best[''] * 1e3:.3f} ms; {name} "
                f"{values['seconds'] * 1e3:.3f} ms, ratio {values['ratio']:.2f}"
            )
        return result, others

    def ratio(self, ours: Way, other: Way, rounds: int = 1) -> float:
        """Time of another way / ours, in one run, whether or not benchmarks are enabled."""
        best = self._interleaved({"ours": ours, "other": other}, rounds)
        return best["other"] / best["ours"]

    def note(self, **facts: object) -> None:
        """Keep further facts in the benchmark's ``extra_info``, and print them."""
        self._benchmark.extra_info |= facts
        print("\n" + self._benchmark.name + ": " + ", ".join(f"{k} {v}" for k, v in facts.items()))

    @staticmethod
    def _interleaved(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                best[name] = min(best[name], time.perf_counter() - began)
        return best


@pytest.fixture
def beside(benchmark: Any) -> Beside:
    return Beside(benchmark)
