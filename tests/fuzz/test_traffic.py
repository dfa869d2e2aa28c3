from itertools import islice

import pytest
from google.protobuf.message import DecodeError
from tests.fuzz.rpcs import Rpc, all_rpcs
from tests.fuzz.traffic import Conversation, conversations

REQUESTS = 400


def rpc(name: str) -> Rpc:
    (found,) = [each for each in all_rpcs() if each.name == name]
    return found


def sent(name: str, seed: int = 1) -> list[Conversation]:
    return list(conversations(rpc(name), REQUESTS, seed))


def test_same_seed_sends_the_same_and_another_one_something_else() -> None:
    assert sent("Generate") == sent("Generate")
    assert sent("Generate") != sent("Generate", seed=2)


@pytest.mark.parametrize("name", ["Generate", "ModelInfer"])
def test_some_requests_parse_and_some_do_not(name: str) -> None:
    parsed = 0
    for (request,) in sent(name):
        try:
            rpc(name).request.FromString(request)
        except DecodeError:
            continue
        parsed += 1
    assert REQUESTS / 4 < parsed < REQUESTS * 3 / 4


def test_conversation_begins_well_in_half_the_cases() -> None:
    (first, *_), *_ = rpc("GenerateSession").conversations
    begun = sum(conversation[0] == first.SerializeToString() for conversation in sent("GenerateSession"))
    assert 0.3 < begun / len(sent("GenerateSession")) < 0.7


def test_every_request_of_a_call_without_fields_is_sent_too() -> None:
    assert sum(1 for _ in islice(conversations(rpc("ListModels"), REQUESTS, 1), REQUESTS + 1)) == REQUESTS
