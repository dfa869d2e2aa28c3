"""Which versions of a model are served: the newest ones, or those that are named."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ostinato_server.errors import StartupError

_LATEST = re.compile(r"latest:([1-9]\d{0,5})")
_NAMED = re.compile(r"[1-9]\d{0,9}(,[1-9]\d{0,9})*")


@dataclass(frozen=True, slots=True)
class VersionPolicy:
    """Chooses among the versions of one model that a repository has.

    Attributes:
        latest: How many of the newest; as many as there are when None.
        named: The only versions to choose from; any when None.
    """

    latest: int | None = 1
    named: frozenset[int] | None = None

    def candidates(self, available: Iterable[int]) -> list[int]:
        """The versions to try, in turn, until ``latest`` of them serve: newest first."""
        return sorted((version for version in available if self.named is None or version in self.named), reverse=True)


@dataclass(frozen=True, slots=True)
class VersionPolicies:
    """The policy of every model.

    Attributes:
        default: For models that are not listed.
        models: Policy by name of the model.
    """

    default: VersionPolicy = VersionPolicy()
    models: Mapping[str, VersionPolicy] = field(default_factory=dict)

    def of(self, model: str) -> VersionPolicy:
        """The policy of a model."""
        return self.models.get(model, self.default)

    def unknown(self, found: Mapping[str, Collection[int]]) -> list[str]:
        """What the policies name and a repository does not hold, a sentence each.

        Args:
            found: The versions that the repository holds, by model; at least one.
        """
        everywhere = sorted({version for versions in found.values() for version in versions})
        unknown = [
            f"no model has version {version}; the repository holds {_numbered(everywhere)}"
            for version in sorted(self.default.named or ())
            if version not in everywhere
        ]
        for model, policy in self.models.items():
            if model not in found:
                unknown.append(f"no model is named {model!r}; the repository holds {', '.join(sorted(found))}")
                continue
            unknown += [
                f"model {model!r} has no version {version}; the repository holds {_numbered(found[model])}"
                for version in sorted(policy.named or ())
                if version not in found[model]
            ]
        return [f"--versions: {each}" for each in unknown]


def read_policies(texts: Sequence[str]) -> VersionPolicies:
    """The policies that ``--versions`` asks for.

    Args:
        texts: Each ``latest:N``, ``all`` or ``N,N,…``, for all models or, after ``NAME=``, for one.

    Raises:
        StartupError: One of them says nothing of the kind.
    """
    default = VersionPolicy()
    models: dict[str, VersionPolicy] = {}
    for text in texts:
        name, equals, policy = text.partition("=")
        if not equals:
            default = _read_policy(text, text)
        elif not name:
            raise StartupError(f"versions {text!r}: no model is named before '='")
        else:
            models[name] = _read_policy(policy, text)
    return VersionPolicies(default, models)


def _numbered(versions: Collection[int]) -> str:
    listed = ", ".join(map(str, sorted(versions)))
    return f"version{'s' if len(versions) > 1 else ''} {listed}"


def _read_policy(policy: str, text: str) -> VersionPolicy:
    if policy == "all":
        return VersionPolicy(latest=None)
    if latest := _LATEST.fullmatch(policy):
        return VersionPolicy(latest=int(latest[1]))
    if _NAMED.fullmatch(policy):
        return VersionPolicy(latest=None, named=frozenset(map(int, policy.split(","))))
    raise StartupError(
        f"versions {text!r}: must be latest:N, all or versions such as 3 or 3,5; NAME= before it is one model's"
    )
