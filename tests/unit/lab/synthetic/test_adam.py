"""Every row of a stack is updated as torch's Adam updates it alone."""

from __future__ import annotations

import torch

from ostinato_models.lab.synthetic.adam import StackAdam

RATES = (0.1, 0.001, 0.03)


def test_rows_move_as_under_torch_and_go_on_when_others_leave() -> None:
    random = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, generator=random)
    gradients = torch.randn(6, 3, 5, generator=random)
    adam = StackAdam(start, RATES)
    for gradient in gradients[:4]:
        adam.step(gradient)
    adam.keep([0, 2])
    for gradient in gradients[4:]:
        adam.step(gradient[[0, 2]])

    for row, member in enumerate((0, 2)):
        alone = start[member].clone().requires_grad_()
        optimizer = torch.optim.Adam([alone], lr=RATES[member])
        for gradient in gradients:
            alone.grad = gradient[member]
            optimizer.step()
        torch.testing.assert_close(adam.parameters[row], alone.detach(), rtol=1e-5, atol=1e-6)
