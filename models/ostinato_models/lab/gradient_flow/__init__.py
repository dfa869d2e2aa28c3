"""Experiment gradient-flow: the norm of ∂loss/∂h at every distance back in time."""
