"""The async client: the twin of :mod:`ostinato_client.client`, awaited."""

# ruff: noqa: ASYNC109 - a timeout here is a gRPC deadline, which the server sees too; asyncio.timeout would not be.

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import Self

import grpc

from ostinato_client import calls, requests
from ostinato_client.aio_session import AsyncSession
from ostinato_client.aio_streams import (
    AsyncGenerationStream,
    AsyncScoreStream,
    AsyncSender,
    AsyncTranslationStream,
    each_of,
)
from ostinato_client.aio_transport import AsyncTransport
from ostinato_client.calls import ResponseT, ResultT, UnaryCall
from ostinato_client.catalog import Model, RepositoryEntry
from ostinato_client.channels import (
    DEFAULT_KEEPALIVE_SECONDS,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    BalanceName,
    call_metadata,
    channel_options,
    check_timeout,
    deadline,
    refuse_open_token,
    wait_limit,
)
from ostinato_client.errors import DeadlineExceeded
from ostinato_client.generation import GenerationFold
from ostinato_client.requests import PriorityName
from ostinato_client.results import SentimentScore
from ostinato_client.resumption import Resumption
from ostinato_client.retries import WATCH_PAUSE_SECONDS, Failure, Retries, failure_of
from ostinato_client.sentiment import SentimentFold, TypingFold
from ostinato_client.statuses import error_from_call
from ostinato_client.trace_context import with_trace_context
from ostinato_client.translation import TranslationFold


class AsyncClient:
    """Talks to an Ostinato server.

    ::

        async with AsyncClient("localhost:50051") as client:
            async for chunk in client.generate("ROMEO:", max_chars=300, temperature=0.8, seed=1):
                print(chunk.text, end="", flush=True)

    One client holds one connection, connects at its first call, and belongs to the event loop that it was made in.
    Every call has a deadline. A call that no server served is retried, and a full server is waited for as long as it
    asks.

    Every method raises OstinatoError; see :mod:`ostinato_client.errors` for the tree.

    Args:
        target: The server, as ``host:port`` or any gRPC name.
        timeout: Seconds allowed for one call from its start to its end, a stream's last message included, unless the
            call says otherwise; 60 by default, ``math.inf`` for no deadline.
        retries: Attempts after the first for a call that no server served, 0 to 4; 3 by default. 0 also means that a
            full server is not waited for and that no stream is resumed.
        keepalive_seconds: Ping the server this often while a call runs, so that a call over a dead connection fails;
            60 by default, never when None.
        client_id: Who calls, for the server's fair share between clients; the address that the connection comes from
            when None.
        credentials: TLS, as :func:`~ostinato_client.tls_credentials` makes it; plain text when None.
        token: Proves who calls, where the server asks for that; sent with every call.
        insecure_token: Whether the token may be sent without TLS, to a server on this machine for instance.
        trace_context: Whether calls carry the current OpenTelemetry context, so that the server's part is found in the
            caller's trace; needs ``opentelemetry-api``.
        balance: How calls are spread over the addresses of the target: ``pick_first`` uses the first one that answers,
            ``round_robin`` all of them in turn.

    Raises:
        ValueError: An argument is out of its range, a token would go in plain text, or OpenTelemetry is wanted
            and not installed.
    """

    def __init__(
        self,
        target: str = "localhost:50051",
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        retries: int = DEFAULT_RETRIES,
        keepalive_seconds: float | None = DEFAULT_KEEPALIVE_SECONDS,
        client_id: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        insecure_token: bool = False,
        trace_context: bool = False,
        balance: BalanceName = "pick_first",
    ) -> None:
        check_timeout(timeout)
        self._timeout = timeout
        self._retries = retries
        refuse_open_token(token, encrypted=credentials is not None, allowed=insecure_token)
        metadata = with_trace_context(call_metadata(client_id, token), wanted=trace_context)
        options = channel_options(target, retries=retries, keepalive_seconds=keepalive_seconds, balance=balance)
        if credentials is None:
            channel = grpc.aio.insecure_channel(target, options=options)
        else:
            channel = grpc.aio.secure_channel(target, credentials, options=options)
        self._transport = AsyncTransport(channel, metadata)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled."""
        await self._transport.close()

    def generate(
        self,
        prompt: str,
        *,
        model: str = "char-lm",
        version: int | None = None,
        max_chars: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: Sequence[str] = (),
        logprobs: bool = False,
        top_alternatives: int = 0,
        priority: PriorityName | None = None,
        resume: bool = True,
        timeout: float | None = None,
    ) -> AsyncGenerationStream:
        """Continues a prompt.

        ::

            stream = client.generate("ROMEO:", max_chars=300, temperature=0.8, seed=1)
            async for chunk in stream:
                print(chunk.text, end="")
            print((await stream.summary()).generated_tokens)

        What is None takes the server's default.

        Args:
            prompt: Text to continue; an empty one starts a text from the model's start token, else from a line break.
            model: Name of the model.
            version: Version of the model; the newest when None.
            max_chars: The most tokens to generate (characters, with a character model). When None: 10,000, or the
                model's limit where that is lower.
            temperature: Divides the logits; 0 takes the most probable token.
            top_k: Keeps the k most probable tokens; 0 keeps all.
            top_p: Keeps the most probable tokens that sum to this probability, (0, 1].
            seed: Seed of the random numbers; the same request with the same seed gives the same text.
            stop: Texts that end the stream; the text that matched is not sent.
            logprobs: Send the log-probability of every token.
            top_alternatives: Send this many of the most probable tokens beside each one.
            priority: Class of the request while there are fewer slots than streams; normal when None.
            resume: Resume the stream where it broke when the server goes away. A server is waited for until the
                timeout; without one, for 10 seconds for each retry of the client.
            timeout: Seconds allowed for the whole stream; the client's when None.
        """
        request = requests.generate_request(
            prompt,
            model=model,
            version=version,
            max_chars=max_chars,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=stop,
            logprobs=logprobs,
            top_alternatives=top_alternatives,
            priority=priority,
        )
        fold = GenerationFold(request)
        resumption = Resumption(
            fold,
            lambda seconds: self._transport.stream(calls.generate(fold), seconds),
            Retries(self._retries, deadline(timeout, self._timeout)),
            resume=resume,
        )
        return AsyncGenerationStream(fold, resumption, self._transport)

    def session(
        self,
        *,
        model: str = "char-lm",
        version: int | None = None,
        logprobs: bool = False,
        top_alternatives: int = 0,
        priority: PriorityName | None = None,
        resume: bool = True,
        timeout: float = math.inf,
    ) -> AsyncSession:
        r"""Opens a session: turns on one text, each going on where the one before ended.

        ::

            async with client.session() as session:
                for text in ("ROMEO:", "\nJULIET:"):
                    print(await session.send(text, max_chars=200, stop="\n\n").text())

        What is None takes the server's default.

        Args:
            model: Name of the model.
            version: Version of the model; the newest when None. The session keeps it.
            logprobs: Send the log-probability of every token.
            top_alternatives: Send this many of the most probable tokens beside each one.
            priority: Class of the turns while there are fewer slots than streams; normal when None.
            resume: Resume a turn where it broke when the server goes away, and go on after it. A server is waited for
                until the timeout; without one, for 10 seconds for each retry of the client.
            timeout: Seconds allowed for the whole session; no limit by default, since the server limits each turn and
                the time between two.
        """
        start = requests.session_start(
            model=model, version=version, logprobs=logprobs, top_alternatives=top_alternatives, priority=priority
        )
        return AsyncSession(
            lambda turns, seconds: self._transport.conversation(calls.GENERATE_SESSION_CALL, turns, seconds),
            start,
            self._transport,
            Retries(self._retries if resume else 0, deadline(timeout, self._timeout)),
        )

    def translate(
        self,
        text: str,
        *,
        model: str = "translation-en-fr",
        version: int | None = None,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        max_tokens: int | None = None,
        attention: bool = True,
        priority: PriorityName | None = None,
        timeout: float | None = None,
    ) -> AsyncTranslationStream:
        """Translates a text, sentence by sentence.

        ::

            translation = await client.translate("I love you.", beam_size=4).result()
            print(translation.text, translation.attention.shape)

        What is None takes the server's default. A stream that breaks because the server is gone is resumed where it
        broke.

        Args:
            text: One or several sentences, with at least one letter or digit.
            model: Name of the model.
            version: Version of the model; the newest when None.
            beam_size: Hypotheses kept at each step; 1 is greedy search, whose tokens come as they are decoded.
            length_penalty: Exponent of the length normalisation of Wu et al. 2016, equation 14.
            max_tokens: The most target tokens of each sentence; the model's own limits hold too.
            attention: Send the attention row of every target token.
            priority: Class of the request while there are fewer slots than streams; normal when None.
            timeout: Seconds allowed for the whole stream; the client's when None.
        """
        request = requests.translate_request(
            text,
            model=model,
            version=version,
            beam_size=beam_size,
            length_penalty=length_penalty,
            max_tokens=max_tokens,
            attention=attention,
            priority=priority,
        )
        fold = TranslationFold(request)
        resumption = Resumption(
            fold,
            lambda seconds: self._transport.stream(calls.translate(fold), seconds),
            Retries(self._retries, deadline(timeout, self._timeout)),
        )
        return AsyncTranslationStream(fold, resumption, self._transport)

    async def classify(
        self,
        text: str,
        *,
        model: str = "sentiment",
        version: int | None = None,
        trace: bool = False,
        timeout: float | None = None,
    ) -> SentimentScore:
        """Scores a text.

        ::

            print((await client.classify("a fine film")).positive_probability)

        Args:
            text: The text; not empty.
            model: Name of the model.
            version: Version of the model; the newest when None.
            trace: Send the score after each token too.
            timeout: Seconds allowed for the call; the client's when None.
        """
        return await self._unary(calls.classify(text, model=model, version=version, trace=trace), timeout)

    async def classify_batch(
        self,
        texts: Sequence[str],
        *,
        model: str = "sentiment",
        version: int | None = None,
        trace: bool = False,
        timeout: float | None = None,
    ) -> list[SentimentScore]:
        """Scores several texts in one call: all, or none if one is bad.

        ::

            best = max(await client.classify_batch(reviews), key=lambda score: score.positive_probability)

        Args:
            texts: The texts, at least one.
            model: Name of the model.
            version: Version of the model; the newest when None.
            trace: Send the score after each token too.
            timeout: Seconds allowed for the call; the client's when None.
        """
        return await self._unary(calls.classify_batch(texts, model=model, version=version, trace=trace), timeout)

    def classify_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        model: str = "sentiment",
        version: int | None = None,
        trace: bool = False,
        timeout: float | None = None,
    ) -> AsyncScoreStream:
        """Scores texts as they come, in order, over one stream.

        ::

            async for score in client.classify_stream(reviews):
                print(score.sentiment, score.text)

        A bad text ends the stream with InvalidRequest, after the scores of all texts before it.

        Args:
            texts: The texts; read ahead of the scores, from another task. What it raises is raised here.
            model: Name of the model.
            version: Version of the model; the newest when None.
            trace: Send the score after each token too.
            timeout: Seconds allowed for the whole stream; the client's when None.
        """
        requests.check_several("texts", texts)
        fold = SentimentFold(model=model, version=version, trace=trace)
        sender = AsyncSender(fold.send(text) async for text in each_of(texts))
        seconds = deadline(timeout, self._timeout)
        call = self._transport.conversation(calls.CLASSIFY_STREAM_CALL, sender, seconds)
        return AsyncScoreStream(call, fold, sender, self._transport)

    def classify_incremental(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        model: str = "sentiment",
        version: int | None = None,
        timeout: float = math.inf,
    ) -> AsyncScoreStream:
        """Scores one text again and again while it is typed.

        ::

            async for score in client.classify_incremental(box.texts()):
                print(score.positive_probability, score.text)

        Only what changes is sent. Texts that come faster than scores are passed over, but never the last one; a blank
        text has no score.

        Args:
            texts: The text as it is, each time that it has changed; read ahead of the scores, from another task.
                What it raises is raised here.
            model: Name of the model.
            version: Version of the model; the newest when None.
            timeout: Seconds allowed for the whole stream; no limit by default, since the server limits the time
                between two changes.
        """
        requests.check_several("texts", texts)
        fold = TypingFold(model=model, version=version)
        sender = AsyncSender(fold.send(text) async for text in each_of(texts))
        seconds = deadline(timeout, self._timeout)
        call = self._transport.conversation(calls.CLASSIFY_INCREMENTAL_CALL, sender, seconds)
        return AsyncScoreStream(call, fold, sender, self._transport)

    async def models(self, *, timeout: float | None = None) -> list[Model]:
        """The loaded models, sorted by name, then version.

        ::

            print([model.name for model in await client.models()])
        """
        return await self._unary(calls.list_models(), timeout)

    async def model(self, name: str, *, version: int | None = None, timeout: float | None = None) -> Model:
        """One model; the newest version when ``version`` is None.

        ::

            print((await client.model("char-lm")).limits.max_new_tokens)
        """
        return await self._unary(calls.get_model(name, version), timeout)

    async def repository(self, *, timeout: float | None = None) -> list[RepositoryEntry]:
        """What the server's repository holds and what has become of each bundle, sorted by name, then version.

        ::

            print([entry for entry in await client.repository() if entry.reason])
        """
        return await self._unary(calls.list_repository(), timeout)

    async def load_model(self, name: str, *, version: int | None = None, timeout: float | None = None) -> list[Model]:
        """Loads a version of a model beside those that are served; gives what is served of the model then.

        ::

            await client.load_model("char-lm")

        The server must run with ``--model-control explicit``. A bundle that is refused raises Refused, and what was
        served before still is.

        Args:
            name: Name of the model.
            version: Its version; when None, the server's version policy decides what of the model is served.
            timeout: Seconds allowed for the call; the client's when None. The server loads on when it is over.
        """
        return await self._unary(calls.load_model(name, version), timeout)

    async def unload_model(self, name: str, *, version: int | None = None, timeout: float | None = None) -> list[Model]:
        """Stops serving a version of a model, or all of it; gives what is still served. Requests that run go on.

        ::

            await client.unload_model("char-lm", version=1)

        Args:
            name: Name of the model.
            version: Its version; all when None.
            timeout: Seconds allowed for the call; the client's when None.
        """
        return await self._unary(calls.unload_model(name, version), timeout)

    async def is_ready(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Whether the server takes requests now, by ``grpc.health.v1``.

        ::

            await client.is_ready("ostinato.v1.TranslationService")

        Args:
            service: Full name of a service, or the name of a model; the whole server when empty.
            timeout: Seconds allowed for the call; the client's when None.
        """
        return await self._unary(calls.check_health(service), timeout)

    async def wait_until_ready(self, timeout: float = DEFAULT_TIMEOUT_SECONDS, *, service: str = "") -> None:
        """Waits until the server takes requests, by ``grpc.health.v1``; it need not run yet.

        ::

            await client.wait_until_ready(timeout=10)

        Args:
            timeout: The most seconds to wait; ``math.inf`` for no limit.
            service: Full name of a service; the whole server when empty.

        Raises:
            DeadlineExceeded: It did not come to that in time.
        """
        call = calls.check_health(service)
        seconds = wait_limit(timeout)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            watch = self._transport.watch(
                calls.HEALTH_WATCH,
                call.request,
                call.response,
                None if math.isinf(left) else left,
                wait_for_ready=True,
            )
            try:
                while (response := await self._transport.read(watch)) is not grpc.aio.EOF:
                    if call.result(response):
                        return
            except grpc.RpcError as error:
                self._transport.check_open()
                if failure_of(error)[0] is Failure.FINAL:
                    raise error_from_call(error) from None
            finally:
                watch.cancel()
            await self._transport.sleep(max(0.0, min(WATCH_PAUSE_SECONDS, end - time.monotonic())))
        raise DeadlineExceeded(f"the server was not ready within {timeout:g} s")

    async def _unary(self, call: UnaryCall[ResponseT, ResultT], timeout: float | None) -> ResultT:
        retries = Retries(self._retries, deadline(timeout, self._timeout), idempotent=call.idempotent)
        while True:
            try:
                return call.result(await self._transport.unary(call, retries.left()))
            except grpc.RpcError as error:
                pause = retries.pause(error)
                if pause is None:
                    raise error_from_call(retries.cause(error)) from None
            await self._transport.sleep(pause)
