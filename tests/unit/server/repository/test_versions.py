import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError
from ostinato_server.repository.versions import VersionPolicy, read_policies


def test_newest_version_alone_is_served_when_nothing_is_said() -> None:
    policy = read_policies(()).of("a")
    assert policy == VersionPolicy(latest=1, named=None)
    assert policy.candidates([2, 10, 9]) == [10, 9, 2]


def test_policy_of_one_model_leaves_the_others() -> None:
    policies = read_policies(("all", "a=latest:2", "b=3,5"))
    assert policies.of("a") == VersionPolicy(latest=2)
    assert policies.of("b") == VersionPolicy(latest=None, named=frozenset({3, 5}))
    assert policies.of("c") == VersionPolicy(latest=None)


@given(st.sets(st.integers(1, 50)), st.sets(st.integers(1, 50), min_size=1))
def test_named_versions_are_those_that_there_are_newest_first(available: set[int], named: set[int]) -> None:
    policy = read_policies((",".join(map(str, named)),)).of("a")
    assert policy.candidates(available) == sorted(available & named, reverse=True)


@pytest.mark.parametrize("text", ["", "latest", "latest:0", "latest:-1", "0", "1,", "1, 2", "newest", "a=", "a=all=1"])
def test_policy_that_says_nothing_of_the_kind_is_refused(text: str) -> None:
    with pytest.raises(StartupError, match="must be latest:N, all or versions such as 3"):
        read_policies((text,))


def test_policy_of_no_model_is_refused() -> None:
    with pytest.raises(StartupError, match="no model is named before '='"):
        read_policies(("=all",))


def test_configuration_checks_its_policies(tmp_path: object) -> None:
    with pytest.raises(StartupError, match="versions 'best'"):
        ServerConfig(repository=tmp_path, versions=("best",))  # type: ignore[arg-type]


FOUND = {"char-lm": {1, 3}, "sentiment": {1}}


@pytest.mark.parametrize(
    ("policies", "unknown"),
    [
        (["char-lm=3", "sentiment=latest:9", "all"], []),
        (["1,3"], []),
        (["3,7"], ["--versions: no model has version 7; the repository holds versions 1, 3"]),
        (["chr=all"], ["--versions: no model is named 'chr'; the repository holds char-lm, sentiment"]),
        (["sentiment=1,2"], ["--versions: model 'sentiment' has no version 2; the repository holds version 1"]),
    ],
)
def test_what_a_repository_does_not_hold_is_named_with_what_it_holds(policies: list[str], unknown: list[str]) -> None:
    assert read_policies(policies).unknown(FOUND) == unknown
