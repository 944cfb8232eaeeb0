"""Optuna's samplers behind one setting, and what `auto` means."""

from __future__ import annotations

import warnings

import optuna

# Measured with 3 objectives and Optuna 5.0.0 (benchmarks/overhead.py --ask): independent TPE takes
# about (0.7 + 0.004 x trials) ms per knob and question, NSGA 0.3 ms at 100 and 5 ms at 10,000 trials.
# `dse.search.quick_tpe` is cheaper; the constants stay, so that a study changes its sampler where it did.
TPE_MS, TPE_MS_PER_TRIAL = 0.7, 0.004  # per knob
AFFORDABLE_MS = 50.0  # trainings take 0.5 s and more
TPE_TRIALS = 300  # from here on NSGA finds more per trial, however cheap TPE is
GENETIC = ("nsga2", "nsga3")
RECALLED_GENERATIONS = 4
QUICK_TPE = "5.0."  # begin of the versions of Optuna whose insides `dse.search.quick_tpe` calls


def schedule(name: str, knobs: int, objectives: int) -> tuple[tuple[str, int], ...]:
    """Return the samplers of a study, and how many trials each of them may have seen when it begins.

    `auto` is TPE, which learns most from few trials, until it has seen so many that a question would
    take longer than `AFFORDABLE_MS`, or `TPE_TRIALS` of them; then NSGA-III (three objectives or more) or
    NSGA-II, whose questions stay cheap. The switch depends on counts only, never on a clock: the same seed
    gives the same study.

    Args:
        name: of the sampler, or "auto".
        knobs: how many are searched.
        objectives: how many there are.

    Returns:
        (sampler, trials), the first one from 0 trials on.
    """
    if name != "auto":
        return ((name, 0),)
    then = "nsga3" if objectives >= 3 else "nsga2"
    affordable = int((AFFORDABLE_MS / max(knobs, 1) - TPE_MS) / TPE_MS_PER_TRIAL)
    until = min(TPE_TRIALS, affordable)
    return (("tpe", 0), (then, until)) if until > 0 else ((then, 0),)


def described(plan: tuple[tuple[str, int], ...]) -> str:
    """Return a schedule in words: "tpe, nsga3 from trial 300 on"."""
    return ", ".join(name if not at else f"{name} from trial {at} on" for name, at in plan)


def population(trials: int) -> int:
    """Return the population of a genetic sampler for a budget."""
    return 24 if trials < 1000 else 50


def memory(name: str, trials: int) -> int | None:
    """Return how many earlier trials a sampler can use; None: all.

    A genetic sampler takes its parents from them; more would only make the selection slow.
    """
    if name in GENETIC:
        return RECALLED_GENERATIONS * population(trials)
    return 0 if name in ("qmc", "random") else None


def make(name: str, seed: int, startup: int, trials: int) -> optuna.samplers.BaseSampler:
    """Return a sampler.

    Args:
        name: as in the study file, without "auto".
        seed: of everything random in it.
        startup: trials before a model is fitted.
        trials: the budget.
    """
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return {
            "tpe": lambda: _tpe()(seed=seed, n_startup_trials=startup),
            "nsga2": lambda: samplers.NSGAIISampler(seed=seed, population_size=population(trials)),
            "nsga3": lambda: samplers.NSGAIIISampler(seed=seed, population_size=population(trials)),
            "gp": lambda: samplers.GPSampler(
                seed=seed, n_startup_trials=startup, deterministic_objective=True
            ),
            "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True),
            "random": lambda: samplers.RandomSampler(seed=seed),
        }[name]()


def _tpe() -> type[optuna.samplers.TPESampler]:
    """Return the quick TPE where Optuna is of the version that it was written for, else Optuna's."""
    if optuna.__version__.startswith(QUICK_TPE):
        from dse.search.quick_tpe import QuickTPE

        return QuickTPE
    tpe: type[optuna.samplers.TPESampler] = optuna.samplers.TPESampler
    return tpe
