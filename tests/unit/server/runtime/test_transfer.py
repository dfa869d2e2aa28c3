"""What crosses between host and device in one copy keeps its place, type and shape."""

import numpy as np
import pytest
import torch

from ostinato_server.runtime.transfer import Transfer, pack, unpack

FIELDS = {
    "counter": (torch.int64, (1,)),
    "odd": (torch.float32, (3,)),
    "ids": (torch.int64, (3,)),
    "table": (torch.float32, (4, 3)),
}


def test_every_field_arrives_on_the_device_with_its_type_and_shape() -> None:
    transfer = Transfer(FIELDS, "cpu")
    for number, array in enumerate(transfer.host.values()):
        array[...] = np.arange(array.size).reshape(array.shape) + 100 * number
    transfer.send()
    for name, (dtype, shape) in FIELDS.items():
        tensor = transfer.device[name]
        assert (tensor.dtype, tuple(tensor.shape)) == (dtype, shape)
        assert np.array_equal(tensor.numpy(), transfer.host[name])
    assert transfer.device["table"][3, 2] == 311


def test_nothing_crosses_before_it_is_sent_or_fetched() -> None:
    transfer = Transfer(FIELDS, "cpu")
    transfer.host["odd"][:] = 1
    transfer.device["ids"].fill_(2)
    assert (float(transfer.device["odd"].sum()), int(transfer.host["ids"].sum())) == (0, 0)
    transfer.fetch()
    assert (transfer.host["odd"].sum(), transfer.host["ids"].sum()) == (0, 6)


@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_of_the_last_field_only_the_rows_asked_for_cross(rows: int) -> None:
    transfer = Transfer(FIELDS, "cpu")
    transfer.host["ids"][:] = 5
    transfer.host["table"][:] = 1
    transfer.send(rows)
    assert transfer.device["ids"].tolist() == [5, 5, 5]
    assert transfer.device["table"].sum(dim=1).tolist() == [3.0] * rows + [0.0] * (4 - rows)
    transfer.device["table"].fill_(7)
    transfer.fetch(rows)
    assert transfer.host["table"].sum(axis=1).tolist() == [21.0] * rows + [3.0] * (4 - rows)


def test_results_that_were_packed_come_out_as_they_were() -> None:
    results = {
        "logprob": torch.tensor([0.5, -1.0, 2.0]),
        "token": torch.tensor([1, 2, 3]),
        "attention": torch.arange(6.0).view(3, 2).t(),
        "none": torch.zeros(0, 4),
        "one of a column": torch.arange(12).view(3, 4)[:1, 2],
        "a column of one": torch.arange(12.0).view(3, 4)[:1, 1:2],
    }
    found = unpack(pack(list(results.values())), results)
    assert list(found) == list(results)
    for name, tensor in results.items():
        assert found[name].dtype == tensor.numpy().dtype
        assert np.array_equal(found[name], tensor.numpy())
