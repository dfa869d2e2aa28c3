"""The versions that pyproject.toml allows, beside those that the generated stubs accept."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from tests.deployed import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
REQUIREMENTS = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS) for line in lines]
RUNTIME_OF_GRPC = {"grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status"}


def versions_in_stubs(pattern: str, version: str) -> set[str]:
    stubs = sorted((ROOT / "proto" / "ostinato").glob(pattern))
    found = [re.search(version, stub.read_text(encoding="utf-8"), re.MULTILINE) for stub in stubs]
    assert stubs
    assert all(found)
    return {match[1] for match in found if match}


def bounds(name: str, operator: str) -> set[str]:
    return {
        bound.version
        for requirement in REQUIREMENTS
        if requirement.name == name
        for bound in requirement.specifier
        if bound.operator == operator
    }


def test_the_lower_bound_of_protobuf_is_the_version_of_the_stubs() -> None:
    assert bounds("protobuf", ">=") == versions_in_stubs("**/*_pb2.py", r"^# Protobuf Python Version: (\S+)$")


@pytest.mark.parametrize("name", sorted(RUNTIME_OF_GRPC))
def test_the_lower_bound_of_grpc_is_the_version_of_the_stubs(name: str) -> None:
    assert bounds(name, ">=") == versions_in_stubs("**/*_pb2_grpc.py", r"^GRPC_GENERATED_VERSION = '(\S+)'$")


def test_protobuf_is_allowed_up_to_the_next_major_version_after_that_of_the_stubs() -> None:
    (generated,) = versions_in_stubs("**/*_pb2.py", r"^# Protobuf Python Version: (\d+)\.\S+$")

    assert bounds("protobuf", "<") == {str(int(generated) + 2)}, "protobuf supports stubs of the major version before"
