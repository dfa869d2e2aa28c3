"""A plain TorchScript module as a step: the twin of `ostinato_models.adoption.wrapping`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ostinato_models.adoption.roles import Roles
from ostinato_models.adoption.torchscript_file import TorchScriptFile, nested
from ostinato_models.adoption.torchscript_structure import flatten
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.adoption.wrapping import prefill_signature, step_signature_around
from ostinato_models.export import torch_sampling
from ostinato_models.export.signatures import Signature
from ostinato_models.export.torchscript import script, trace


class PlainPrefill(nn.Module):
    """A plain module reading a prompt: tokens, states batch first."""

    def __init__(self, file: TorchScriptFile, roles: Roles) -> None:
        super().__init__()
        self.module = file.module
        self.nests = file.nests
        self.time_axis = roles.time_axis
        self.axes = [role.batch_axis for role in roles.states]

    def read(self, tokens: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits as the module gives them, and the new states, batch first."""
        given = [state.movedim(0, axis).contiguous() for state, axis in zip(states, self.axes, strict=True)]
        logits, *following = flatten(self.module(tokens, *nested(self.nests, given)))
        return logits, [state.movedim(axis, 0) for state, axis in zip(following, self.axes, strict=True)]

    def forward(self, tokens: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the prefill's signature declares."""
        return tuple(self.read(tokens if self.time_axis == 1 else tokens.transpose(0, 1), states)[1])


class PlainStep(PlainPrefill):
    """One step of a plain module: token, states batch first, temperature, top_k, top_p, uniform."""

    def __init__(self, file: TorchScriptFile, roles: Roles, vocabulary: AdoptedVocabulary, alternatives: int) -> None:
        super().__init__(file, roles)
        self.alternatives = alternatives
        self.register_buffer("choices", torch.tensor(vocabulary.choices))
        self._rank = script(torch_sampling.rank)
        self._sample = script(torch_sampling.sample)

    def forward(self, token: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the step's signature declares."""
        *states, temperature, top_k, top_p, uniform = rest
        logits, following = self.read(token.unsqueeze(self.time_axis), states)
        logits = logits.select(self.time_axis, -1) if logits.dim() == 3 else logits
        choices: Tensor = self.get_buffer("choices")
        logprobs, places = self._rank(logits.index_select(1, choices), 0, choices.numel())
        tokens = choices[places]
        drawn = self._sample(logprobs, temperature, top_k, top_p, uniform)
        return (
            tokens.gather(1, drawn).squeeze(1),
            logprobs.gather(1, drawn).squeeze(1),
            tokens[:, : self.alternatives],
            logprobs[:, : self.alternatives],
            *following,
        )


def module_step_around(
    file: TorchScriptFile, roles: Roles, vocabulary: AdoptedVocabulary
) -> tuple[torch.jit.ScriptModule, Signature]:
    """Make a step of a plain module, and tell what it takes and gives."""
    signature = step_signature_around(roles, vocabulary)
    alternatives = signature.outputs[2].shape[1]
    return trace(PlainStep(file, roles, vocabulary, alternatives), signature.inputs), signature


def module_prefill_around(file: TorchScriptFile, roles: Roles) -> tuple[torch.jit.ScriptModule, Signature]:
    """Make a module that reads a prompt in one call, and tell what it takes and gives."""
    signature = prefill_signature(roles)
    return trace(PlainPrefill(file, roles), signature.inputs), signature
