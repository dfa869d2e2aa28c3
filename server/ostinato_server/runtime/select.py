"""Choosing the runtime and the device for a bundle."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable

import numpy as np
import onnxruntime

from ostinato_bundle import Artifact, Bundle
from ostinato_server.errors import DeviceUnavailable, StartupError
from ostinato_server.runtime.base import Backend
from ostinato_server.runtime.onnx import OnnxBackend

PREFERENCE: dict[str, tuple[Artifact, ...]] = {
    "cpu": ("onnx-int8", "onnx", "torchscript"),
    "cuda": ("torchscript", "onnx"),
}
"""What ``--runtime auto`` tries, fastest first, by device."""


def open_backend(bundle: Bundle, device: str, runtime: str, threads: int) -> Backend:
    """Opens a bundle's graphs.

    Args:
        bundle: A verified bundle.
        device: ``auto``, ``cpu`` or ``cuda``.
        runtime: ``auto``, ``onnx``, ``onnx-int8`` or ``torchscript``.
        threads: Threads that one step may use on the CPU.

    Raises:
        DeviceUnavailable: CUDA was asked for and cannot be had.
        StartupError: The bundle has no file for the runtime, or the runtime is not installed.
    """
    available = bundle.manifest.artifacts()
    if device == "cuda":
        _require_cuda(runtime)
    chosen_device = "cuda" if device == "cuda" or (device == "auto" and _cuda_serves(runtime, available)) else "cpu"
    artifact = _artifact(bundle, chosen_device, runtime, available)
    if artifact != "torchscript":
        return OnnxBackend(bundle, artifact, chosen_device, threads)
    if not _torch_installed():
        raise StartupError("the torchscript runtime needs torch: pip install 'ostinato[torch]'")
    from ostinato_server.runtime.torchscript import TorchScriptBackend

    return TorchScriptBackend(bundle, chosen_device, threads)


def cuda_runtimes() -> frozenset[str]:
    """Which of ``torchscript`` and ``onnx`` see a CUDA device."""
    return frozenset(name for name, sees in _sees_cuda().items() if sees())


def _sees_cuda() -> dict[str, Callable[[], bool]]:
    return {"onnx": _onnx_sees_cuda, "torchscript": _torch_sees_cuda}


def _artifact(bundle: Bundle, device: str, runtime: str, available: frozenset[Artifact]) -> Artifact:
    for artifact in PREFERENCE[device]:
        if artifact in available and runtime in ("auto", artifact) and (runtime != "auto" or _usable(artifact, device)):
            return artifact
    has = ", ".join(sorted(available)) or "nothing"
    wanted = "usable" if runtime == "auto" else runtime
    raise StartupError(
        f"{bundle.path}: no {wanted} file for every graph on {device} (the bundle has {has}); "
        "`ostinato export --bundle` derives the others"
    )


def _usable(artifact: Artifact, device: str) -> bool:
    if artifact == "torchscript":
        return _torch_installed() and (device == "cpu" or _torch_sees_cuda())
    return device == "cpu" or _onnx_sees_cuda()


def _require_cuda(runtime: str) -> None:
    if runtime == "onnx-int8":
        raise DeviceUnavailable("onnx-int8 runs on the CPU only; use --runtime onnx or torchscript with --device cuda")
    if not any(check() for name, check in _sees_cuda().items() if runtime in ("auto", name)):
        raise DeviceUnavailable(
            "--device cuda: no CUDA device is visible to this installation "
            "(needs an NVIDIA driver and onnxruntime-gpu or a CUDA build of torch); use --device cpu or auto"
        )


def _cuda_serves(runtime: str, available: frozenset[Artifact]) -> bool:
    return any(check() for name, check in _sees_cuda().items() if name in available and runtime in ("auto", name))


def _onnx_sees_cuda() -> bool:
    """Whether ONNX Runtime can use a device; that it was built for CUDA says nothing of the machine."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return False
    if hasattr(onnxruntime, "preload_dlls"):  # since 1.21
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
            onnxruntime.preload_dlls()  # CUDA and cuDNN, from where pip has put them
    try:
        onnxruntime.OrtValue.ortvalue_from_shape_and_type([1], np.float32, "cuda", 0)
    except Exception:  # each of its errors is a class of its own
        return False
    return True


def _torch_installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def _torch_sees_cuda() -> bool:
    if not _torch_installed():
        return False
    import torch

    return torch.cuda.is_available()
