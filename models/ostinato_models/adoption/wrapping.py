"""A plain model as a step: the owner's graph with states batch first around it and sampling behind it."""

from __future__ import annotations

import numpy as np
import onnx

from ostinato_bundle import Tensor
from ostinato_models.adoption.contract import SAMPLING
from ostinato_models.adoption.inclusion import PREFIX, include, narrowed
from ostinato_models.adoption.roles import Roles
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.export.graph_builder import GraphBuilder, Name
from ostinato_models.export.sampling import ALTERNATIVES, give_choice, rank
from ostinato_models.export.signatures import Signature, batch


def step_around(
    model: onnx.ModelProto, roles: Roles, vocabulary: AdoptedVocabulary
) -> tuple[onnx.ModelProto, Signature]:
    """Make a step of a plain model.

    Args:
        model: the owner's.
        roles: which of its tensors is which.
        vocabulary: which tokens can be generated; the others are left out of the distribution.

    Returns:
        The graph and what it takes and gives.
    """
    graph = GraphBuilder("fp32")
    signature = step_signature_around(roles, vocabulary)
    choices, alternatives = vocabulary.choices, signature.outputs[2].shape[1]
    token = "token" if len(roles.token.shape) == 1 else graph.op("Unsqueeze", "token", graph.integers(roles.time_axis))
    _include(graph, model, roles, token)
    logits = PREFIX + roles.logits.name
    if len(roles.logits.shape) == 3:
        last = graph.op("Gather", logits, graph.integers(-1), axis=roles.time_axis)
        logits = graph.op("Squeeze", last, graph.integers(roles.time_axis))
    ids = graph.constant(np.array(choices, np.int64), "choices")
    if vocabulary.reserved:
        logits = graph.op("Gather", logits, ids, axis=1)
    logprobs, places = rank(graph, logits, len(choices), 0)
    tokens = graph.op("Gather", ids, places, axis=0)
    give_choice(graph, logprobs, tokens, len(choices), alternatives)
    description = "One step of a model that was trained elsewhere."
    return graph.build("step", description, signature.inputs, signature.outputs), signature


def prefill_around(model: onnx.ModelProto, roles: Roles) -> tuple[onnx.ModelProto, Signature] | None:
    """Make a graph that reads a prompt in one call; none where the plain model reads one token at a time."""
    if len(roles.token.shape) == 1 or roles.time_axis not in roles.token.dynamic:
        return None
    graph = GraphBuilder("fp32")
    signature = prefill_signature(roles)
    tokens = "tokens" if roles.time_axis == 1 else graph.op("Transpose", "tokens", perm=[1, 0])
    _include(graph, model, roles, tokens)
    description = "Reads a prompt without choosing any token."
    return graph.build("prefill", description, signature.inputs, signature.outputs), signature


def step_signature_around(roles: Roles, vocabulary: AdoptedVocabulary) -> Signature:
    """What a step made of a plain model takes and gives."""
    states, following = _states(roles)
    alternatives = min(ALTERNATIVES, len(vocabulary.choices))
    return Signature(
        (batch("token", "int64"), *states, *SAMPLING),
        (
            batch("next_token", "int64"),
            batch("logprob"),
            batch("top_tokens", "int64", alternatives),
            batch("top_logprobs", "float32", alternatives),
            *following,
        ),
    )


def prefill_signature(roles: Roles) -> Signature:
    """What a graph that reads prompts takes and gives."""
    states, following = _states(roles)
    return Signature((batch("tokens", "int64", -1), *states), following)


def _states(roles: Roles) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """``state_0``, … as the server holds them, batch first, and the ``next_state_0``, … that answer them."""
    states = tuple(batch(f"state_{index}", "float32", *role.sizes) for index, role in enumerate(roles.states))
    return states, tuple(batch(f"next_{state.name}", "float32", *state.shape[1:]) for state in states)


def _include(graph: GraphBuilder, model: onnx.ModelProto, roles: Roles, tokens: Name) -> None:
    """Put the owner's graph between ``state_0``, … and ``next_state_0``, …."""
    inputs = {roles.token.name: narrowed(graph, tokens, roles.token.data_type)}
    for index, role in enumerate(roles.states):
        inputs[role.taken.name] = _batch_at(graph, f"state_{index}", 0, role.batch_axis, len(role.taken.shape))
    include(graph, model, inputs)
    for index, role in enumerate(roles.states):
        value = _batch_at(graph, PREFIX + role.given.name, role.batch_axis, 0, len(role.given.shape))
        graph.rename(graph.op("Identity", value), f"next_state_{index}")


def _batch_at(graph: GraphBuilder, value: Name, axis: int, wanted: int, rank: int) -> Name:
    """A value with its batch moved from one axis to another; the others keep their order."""
    if axis == wanted:
        return value
    order = [place for place in range(rank) if place != axis]
    order.insert(wanted, axis)
    return graph.op("Transpose", value, perm=order)
