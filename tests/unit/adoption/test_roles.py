from pathlib import Path

import pytest

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import Port
from ostinato_models.adoption.roles import NamedRoles, Roles, find_roles

TOKENS = Port("tokens", "int64", ("batch", "time"))
LOGITS = Port("logits", "float32", ("batch", "time", 50))


def state(name: str, *shape: int | str) -> Port:
    return Port(name, "float32", shape or (2, "batch", 8))


def found(inputs: list[Port], outputs: list[Port], **named: object) -> Roles:
    return find_roles(Path("lm.onnx"), inputs, outputs, 50, NamedRoles(**named))  # type: ignore[arg-type]


def pairs(roles: Roles) -> dict[str, str]:
    return {role.taken.name: role.given.name for role in roles.states}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("h", "c"), ("hn", "cn")),
        (("h", "c"), ("h_n", "c_n")),
        (("h0", "c0"), ("h1", "c1")),
        (("h_in", "c_in"), ("h_out", "c_out")),
        (("hidden", "cell"), ("next_hidden", "next_cell")),
        (("hiddenState", "cellState"), ("newHiddenState", "newCellState")),
        (("h0", "h1"), ("h0_out", "h1_out")),
        (("h0", "c0"), ("next_h0", "next_c0")),
        (("h_0", "c_0"), ("hn", "cn")),
        (("h0", "c0"), ("hidden", "cell")),
        (("initial_h", "initial_c"), ("y_h", "y_c")),
        (("hx", "cx"), ("h_final", "c_final")),
    ],
)
def test_states_are_paired_by_name_in_whatever_order_they_come(before: tuple[str, str], after: tuple[str, str]) -> None:
    taken = [state(name) for name in before]
    given = [state(name) for name in reversed(after)]
    roles = found([TOKENS, *taken], [*given, LOGITS])
    assert pairs(roles) == dict(zip(before, after, strict=True))
    assert roles.logits is LOGITS


def test_names_that_do_not_tell_are_paired_in_order() -> None:
    assert pairs(found([TOKENS, state("a"), state("b")], [LOGITS, state("30"), state("31")])) == {"a": "30", "b": "31"}


def test_names_that_do_not_tell_are_paired_by_shape_before_order() -> None:
    inputs = [TOKENS, state("a", 1, "batch", 5), state("b", 2, "batch", 8)]
    roles = found(inputs, [state("30", 2, "batch", 8), LOGITS, state("31", 1, "batch", 5)])
    assert pairs(roles) == {"a": "31", "b": "30"}


def test_order_of_keras_is_understood() -> None:
    dense = Port("dense", "float32", ("batch", "time", 50))
    roles = found([state("state_h"), state("state_c"), TOKENS], [state("lstm_c"), state("lstm_h"), dense])
    assert pairs(roles) == {"state_h": "lstm_h", "state_c": "lstm_c"}
    assert roles.logits is dense


def test_what_a_person_says_comes_first() -> None:
    inputs = [TOKENS, Port("speaker", "int64", ("batch",)), state("a"), state("b")]
    named = {"token": "tokens", "states": {"a": "31"}, "logits": "scores"}
    with pytest.raises(AdoptionError, match="expected an output for every state"):
        found(inputs, [LOGITS, state("30"), state("31")], **(named | {"logits": "logits"}))
    with pytest.raises(AdoptionError, match=r"there is no output scores; its outputs are logits \(float32"):
        found(inputs, [LOGITS, state("30"), state("31")], **named)
    inputs.pop(1)
    roles = found(inputs, [LOGITS, state("30"), state("31")], **(named | {"logits": "logits"}))
    assert pairs(roles) == {"a": "31", "b": "30"}


def test_logits_are_the_output_as_wide_as_the_vocabulary_where_no_name_tells() -> None:
    wide = Port("output", "float32", ("batch", "time", 50))
    assert found([TOKENS, state("a")], [state("z"), wide]).logits is wide


@pytest.mark.parametrize(
    ("shape", "said", "time_axis"),
    [
        (("batch", "time"), False, 1),
        (("time", "batch"), False, 0),
        ((1, "batch"), False, 0),
        (("n", 1), False, 1),
        (("a", "b"), False, 1),
        (("a", "b"), True, 0),
    ],
)
def test_time_is_the_axis_that_is_not_the_states_batch(
    shape: tuple[int | str, int | str], said: bool, time_axis: int
) -> None:
    tokens = Port("tokens", "int64", shape)
    logits = Port("logits", "float32", (*shape, 50))
    assert found([tokens, state("h")], [logits, state("hn")], time_first=said).time_axis == time_axis


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_batch_of_a_state_is_its_dynamic_axis(axis: int) -> None:
    shape: list[int | str] = [2, 8]
    shape.insert(axis, "batch")
    (role,) = found([TOKENS, state("h", *shape)], [LOGITS, state("hn", *shape)]).states
    assert (role.batch_axis, role.sizes) == (axis, (2, 8))


@pytest.mark.parametrize(
    ("inputs", "outputs", "problem"),
    [
        ([TOKENS], [LOGITS], r"takes tokens \(int64 \[batch, time\]\) and no state, so it cannot be stepped"),
        ([state("x"), state("h")], [LOGITS, state("hn")], r"expected one input of token ids .* found none"),
        ([TOKENS, Port("ids", "int32", ("b",)), state("h")], [LOGITS], r"found tokens .*, ids .*--input-token NAME"),
        ([TOKENS, state("h"), state("c")], [LOGITS, state("hn")], "expected an output for every state: c"),
        ([TOKENS, state("h", 2, 1, 8)], [LOGITS, state("hn")], r"expected one axis of variable size, the batch"),
        ([TOKENS, state("h", "l", "b", 8)], [LOGITS, state("hn")], r"h \(float32 \[l, b, 8\]\): expected one axis"),
        (
            [TOKENS, state("h")],
            [LOGITS, state("hn", 2, "batch", 9)],
            r"h .* becomes hn .*\[2, batch, 9\]\): expected the",
        ),
        ([TOKENS, state("h")], [LOGITS, state("hn", "batch", 8)], "expected the same shape"),
        ([TOKENS, state("h")], [LOGITS, state("hn", 2, 1, 8)], "its batch is fixed at 1; declare axis 1 dynamic"),
        ([TOKENS, Port("h", "float16", (2, "b", 8))], [LOGITS, state("hn")], r"state h \(float16 .*expected float32"),
        ([Port("tokens", "int64", (1, "t")), state("h")], [LOGITS, state("hn")], r"tokens .* batch is fixed at 1"),
        ([Port("tokens", "int64", ("b", 3)), state("h")], [LOGITS, state("hn")], "its time is fixed at 3"),
        (
            [TOKENS, state("h")],
            [Port("logits", "float32", ("b", "t", 96)), state("hn")],
            "a score for each of 96 tokens, but the vocabulary has 50",
        ),
        ([TOKENS, state("h")], [Port("logits", "float32", (1, 1, 50)), state("hn")], "the batch is fixed at 1"),
        ([TOKENS, state("h")], [Port("logits", "float64", ("b", "t", 50)), state("hn")], "expected float32"),
    ],
)
def test_what_does_not_fit_is_said(inputs: list[Port], outputs: list[Port], problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        found(inputs, outputs)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(AdoptionError) as refused:
        found(
            [Port("tokens", "int64", (1, 1)), state("h", 2, 1, 8)],
            [Port("logits", "float32", (1, 1, 49)), state("hn", 2, 1, 8)],
        )
    assert len(refused.value.problems) == 4


@pytest.mark.parametrize(
    ("dynamo", "option", "other"),
    [
        (False, "'h': {1: 'batch'},", "dynamic_shapes"),
        (True, "dynamic_shapes=({0: batch, 1: time}, {1: batch}),", "dynamic_axes"),
    ],
)
def test_fixed_sizes_are_refused_with_the_option_of_the_exporter_that_wrote_the_file(
    dynamo: bool, option: str, other: str
) -> None:
    inputs = [Port("tokens", "int64", (1, 1)), state("h", 2, 1, 8)]
    outputs = [Port("logits", "float32", (1, 1, 50)), state("hn", 2, 1, 8)]
    with pytest.raises(AdoptionError) as refused:
        find_roles(Path("lm.onnx"), inputs, outputs, 50, NamedRoles(), dynamo=dynamo)
    remedy = refused.value.remedy
    assert option in remedy
    assert f"dynamo={dynamo}" in remedy
    assert "input_names=['tokens', 'h']" in remedy
    assert other not in remedy
    compile(remedy, "remedy", "exec")
