import asyncio

from ostinato_server.repository.uses import Uses


async def test_wait_ends_with_the_last_holder() -> None:
    uses = Uses()
    with uses.held():
        with uses.held():
            waiting = asyncio.create_task(uses.ended())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (uses.count, waiting.done()) == (1, False)
    await waiting
    assert uses.count == 0


async def test_nobody_waits_for_what_nobody_holds_or_what_is_given_up() -> None:
    await Uses().ended()
    uses = Uses()
    with uses.held():
        uses.abandon()
        await uses.ended()
        assert uses.count == 1
