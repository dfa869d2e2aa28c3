from pathlib import Path

import onnx
import pytest
from tests.unit.adoption.plain import HIDDEN, VOCABULARY, Plain

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import Port, read_onnx


def test_ports_tell_types_and_which_sizes_are_open(tmp_path: Path) -> None:
    file = read_onnx(Plain().save(tmp_path))
    assert file.inputs == (Port("tokens", "int64", ("batch", "time")), Port("h", "float32", (1, "batch", HIDDEN)))
    assert file.outputs[0] == Port("logits", "float32", ("batch", "time", VOCABULARY))
    assert str(file.inputs[1]) == "h (float32 [1, batch, 6])"
    assert (file.opset, file.inputs[1].dynamic) == (17, (1,))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match=r"nowhere\.onnx: there is no such file"):
        read_onnx(tmp_path / "nowhere.onnx")


def test_old_operators_are_refused_with_the_version_that_is_needed(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match=r"uses opset 11; at least 13 is needed: .*opset_version=17"):
        read_onnx(Plain(opset=11).save(tmp_path))


def test_operator_of_a_custom_domain_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match=r"needs the operator Custom of the custom domain my\.operators"):
        read_onnx(Plain(behind="Custom").save(tmp_path))


def test_operator_that_the_file_itself_defines_is_no_custom_one(tmp_path: Path) -> None:
    model = Plain(behind="Custom").model()
    body = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(
        onnx.helper.make_function("my.operators", "Custom", ["x"], ["y"], body, [onnx.helper.make_opsetid("", 17)])
    )
    path = tmp_path / "plain.onnx"
    onnx.save(model, path)
    assert read_onnx(path).inputs[0].name == "tokens"


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    model = Plain().model()
    whole = model.SerializeToString()
    onnx.save(model, tmp_path / "plain.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").stat().st_size > 0
    read = read_onnx(tmp_path / "plain.onnx").model
    original = onnx.ModelProto.FromString(whole)
    for ours, theirs in zip(read.graph.initializer, original.graph.initializer, strict=True):
        assert onnx.numpy_helper.to_array(ours).tolist() == onnx.numpy_helper.to_array(theirs).tolist()


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("../secret.bin", "lies in '../secret.bin', outside the model's folder"),
        ("/etc/hostname", "lies in '/etc/hostname', outside the model's folder"),
        ("gone.bin", "lies in 'gone.bin', which is no file beside the model"),
    ],
)
def test_weights_elsewhere_are_refused_and_not_read(tmp_path: Path, location: str, problem: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    folder = tmp_path / "model"
    folder.mkdir()
    model = Plain().model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "plain.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(AdoptionError) as refused:
        read_onnx(folder / "plain.onnx")
    assert refused.value.problems == (f"tensor table {problem}",)
