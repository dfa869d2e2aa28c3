"""gradient-flow, put together: settings to result, result to report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ostinato_models.lab.experiment import Context, Experiment
from ostinato_models.lab.gradient_flow.clipping import CLIPPED_NETWORK, Training, train
from ostinato_models.lab.gradient_flow.figures import draw_bounds, draw_clipping, draw_profiles, draw_reach
from ostinato_models.lab.gradient_flow.findings import findings, scientific
from ostinato_models.lab.gradient_flow.networks import NETWORKS
from ostinato_models.lab.gradient_flow.profiles import Profile, cases, measure
from ostinato_models.lab.gradient_flow.settings import PRESETS, GradientFlowSettings
from ostinato_models.lab.gradient_flow.texts import load_text
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.threads import one_thread


@dataclass(frozen=True, slots=True)
class GradientFlowResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        profiles: norms by distance, of every case.
        unclipped: a training without clipping.
        clipped: the same training with it.
    """

    settings: GradientFlowSettings
    profiles: tuple[Profile, ...]
    unclipped: Training
    clipped: Training


def run(settings: GradientFlowSettings, context: Context) -> GradientFlowResult:
    """Measure every case, then train with and without clipping."""
    text = load_text()
    planned = list(cases(settings))
    # Backward passes differ in size with the length; progress counts steps so that it runs evenly.
    trained = settings.clip_updates * settings.clip_length
    total = sum(case.length for case in planned) * settings.repeats + 2 * trained
    done = 0
    profiles: list[Profile] = []
    with one_thread():
        for case in planned:
            profiles += measure(case, settings, text)
            done += case.length * settings.repeats
            context.watch(done, total)
        unclipped = train(settings, text, None)
        context.watch(done + trained, total)
        clipped = train(settings, text, settings.clip_norm)
        context.watch(total, total)
    return GradientFlowResult(settings, tuple(profiles), unclipped, clipped)


def report(result: GradientFlowResult) -> Report:
    """Say what was measured."""
    settings, profiles = result.settings, result.profiles
    return Report(
        title="Gradient flow",
        question="How far back in time does a gradient reach in an RNN, an LSTM and a GRU, and what decides it?",
        findings=findings(settings, profiles, result.unclipped, result.clipped),
        method=_method(settings),
        plots=(
            Plot(
                "profiles",
                draw_profiles(profiles, settings),
                f"The gradient of the loss at step {settings.longest}, followed back in time: above the grey line it "
                "grows, below it shrinks. Recurrent matrices are orthogonal times $\\rho$. Dotted: the bound for "
                "vanilla networks.",
            ),
            Plot(
                "reach",
                draw_reach(profiles, settings),
                "What is left of the gradient at the first step, as a power of ten: blue has vanished, red has "
                "exploded, white has arrived as it left.",
            ),
            Plot(
                "bounds",
                draw_bounds(profiles, settings),
                f"Measured norm as a share of the bound. {_say_tightness(settings, profiles)}",
            ),
            Plot(
                "clipping",
                draw_clipping(result.unclipped, result.clipped),
                f"The {NETWORKS[CLIPPED_NETWORK].label}, started at $\\rho$ = {settings.clip_radius:g}, trained with "
                f"and without clipping. {_say_path(result.unclipped)} A cross marks where a line leaves for good.",
            ),
        ),
        tables=(_reach_table(profiles), _profile_table(settings, profiles), _clipping_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _method(settings: GradientFlowSettings) -> str:
    return (
        f"The networks are this project's character language model, one layer of {settings.hidden_size} units at "
        "initialisation, reading windows of its embedded corpus (the text of Python's `pydoc_data.topics`); ReLU and "
        "the linear control replace the vanilla cell's tanh. Each recurrent matrix (one a gate) is drawn orthogonal "
        "or Gaussian and scaled to the spectral radius $\\rho$; all else starts as in training (the LSTM's forget "
        "bias at 1). The loss is the cross entropy of the last character alone, so that each norm belongs to one "
        f"distance. Norms are the root mean square over {settings.batch_size} windows, then the geometric mean over "
        f"{settings.repeats} networks, in float64. The tables have the LSTM's cell state too.\n\n"
        "The bound (Pascanu, Mikolov & Bengio, *On the difficulty of training recurrent neural networks*, ICML 2013) "
        "is\n\n$$\\left\\|\\frac{\\partial\\,loss}{\\partial h_{T-k}}\\right\\| \\le (\\gamma\\sigma)^k "
        "\\left\\|\\frac{\\partial\\,loss}{\\partial h_T}\\right\\|$$\n\n"
        "with $\\sigma$ the largest singular value of the recurrent matrix and $\\gamma = 1$ the steepest slope of "
        "tanh, of ReLU and of the identity. Clipping scales the whole gradient by one number when its norm is above "
        "the limit: it stops explosions and cannot bring back what has vanished.\n\n"
        "These are networks as they start. Training moves gates and radii, so a trained LSTM may reach further than "
        "the one measured here."
    )


def _say_tightness(settings: GradientFlowSettings, profiles: tuple[Profile, ...]) -> str:
    """How near the linear control comes to the bound, with each kind of matrix."""
    linear = [profile for profile in profiles if profile.case.network == "linear" and profile.bounds is not None]
    slack = {
        kind: [
            float(profile.bounds[-1] / profile.ratios[-1]) ** (1 / settings.longest)
            for profile in linear
            if profile.bounds is not None
            and (profile.case.initialisation, profile.case.length) == (kind, settings.longest)
        ]
        for kind in ("orthogonal", "gaussian")
    }
    return (
        "For an orthogonal matrix the largest singular value is the spectral radius, and the bound exceeds the linear "
        f"network's norm by a factor of {max(slack['orthogonal']):.3f} a step; what tanh and ReLU lose is their slope. "
        "The largest singular value of a Gaussian matrix exceeds its spectral radius, and the bound exceeds "
        f"the linear network's norm by a factor of {min(slack['gaussian']):.2f} to {max(slack['gaussian']):.2f} a step."
    )


def _say_path(unclipped: Training) -> str:
    """The norm of the unclipped gradient at the start and at its largest."""
    largest = max(norm for norm in unclipped.norms if math.isfinite(norm))
    return (
        f"Without it the gradient's norm is {scientific(unclipped.norms[0])} at the first update and "
        f"{scientific(largest)} at update {unclipped.norms.index(largest) + 1}: updates alone can lead a network to "
        "where gradients explode."
        if largest > 10 * unclipped.norms[0]
        else f"Without it the gradient's norm never exceeds {scientific(largest)}."
    )


def _reach_table(profiles: tuple[Profile, ...]) -> Table:
    columns = (
        "network",
        "state",
        "matrix",
        "spectral radius",
        "length (steps)",
        "norm at last step",
        "ratio at first step",
        "lowest of draws",
        "highest of draws",
        "bound",
    )
    rows: list[tuple[Cell, ...]] = []
    for profile in profiles:
        case = profile.case
        bound: Cell = "" if profile.bounds is None else float(profile.bounds[-1])
        measured = (profile.start, profile.reach, profile.lowest, profile.highest)
        rows.append(
            (case.network, profile.state, case.initialisation, case.radius, case.length, *measured, bound),
        )
    return Table("reach", columns, tuple(rows))


def _profile_table(settings: GradientFlowSettings, profiles: tuple[Profile, ...]) -> Table:
    longest = [profile for profile in profiles if profile.case.length == settings.longest]
    groups: dict[tuple[str, str, str], list[Profile]] = {}
    for profile in longest:
        groups.setdefault((profile.case.network, profile.state, profile.case.initialisation), []).append(profile)
    rows: list[tuple[Cell, ...]] = [
        (*key, distance, *(float(profile.ratios[distance]) for profile in group))
        for key, group in groups.items()
        for distance in range(settings.longest + 1)
    ]
    radii = tuple(f"ratio at spectral radius {radius:g}" for radius in settings.radii)
    return Table("profiles", ("network", "state", "matrix", "distance (steps)", *radii), tuple(rows))


def _clipping_table(result: GradientFlowResult) -> Table:
    columns = ("training", "update", "loss (nats per character)", "gradient norm", "norm applied")
    rows: list[tuple[Cell, ...]] = []
    for name, training in (("unclipped", result.unclipped), ("clipped", result.clipped)):
        measured = zip(training.losses, training.norms, training.applied, strict=True)
        rows += [(name, update, *numbers) for update, numbers in enumerate(measured, 1)]
    return Table("clipping", columns, tuple(rows))
