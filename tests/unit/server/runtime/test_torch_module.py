import torch

from ostinato_server.runtime.torch_module import as_written


def optimizes() -> bool:
    return bool(torch._C._get_graph_executor_optimize())


def test_module_runs_as_it_was_written_and_others_do_not() -> None:
    assert optimizes()
    assert as_written(lambda *inputs: (optimizes(), inputs))(torch.ones(1)) == (False, (torch.ones(1),))
    assert optimizes()
