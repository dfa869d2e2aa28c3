from dataclasses import replace

import pytest
from tests.soak.campaign import MARGINS, grown
from tests.soak.server import Held

WARM = Held(slots=0, tasks=31, own_threads=5, other_threads=10, descriptors=25, resident_mib=200.0)


def test_server_that_holds_as_much_as_before_or_less_has_not_grown() -> None:
    assert grown(WARM, WARM) == []
    assert grown(WARM, replace(WARM, tasks=30, resident_mib=150.0)) == []


@pytest.mark.parametrize("name", Held.__slots__)
def test_server_that_holds_more_than_the_margin_has_grown(name: str) -> None:
    most = getattr(WARM, name) + getattr(MARGINS, name)
    assert grown(WARM, replace(WARM, **{name: most})) == []
    (told,) = grown(WARM, replace(WARM, **{name: most + 1}))
    assert told.startswith(f"{name}: ")
