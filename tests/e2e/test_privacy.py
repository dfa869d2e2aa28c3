"""No program of the project lets ONNX Runtime contact its vendor or store an identifier of the device."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import OSTINATO, start_server, stop_server

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the programs that the test starts, in which nothing disables telemetry."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def open_files(process: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        yield str(descriptor.readlink())


def foreign_addresses(process: int) -> list[str]:
    """Addresses beyond this machine that sockets of the process are connected to."""
    own = {name for name in open_files(process) if name.startswith("socket:")}
    found = []
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            words = bytes.fromhex(fields[2].partition(":")[0])
            packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
            remote = ipaddress.ip_address(packed)
            mapped = getattr(remote, "ipv4_mapped", None) or remote
            if f"socket:[{fields[9]}]" in own and not (mapped.is_loopback or mapped.is_unspecified):
                found.append(str(mapped))
    return found


def test_a_server_that_has_answered_wrote_nothing_below_home_and_holds_no_foreign_socket(
    home: Path, repository: Path, tmp_path: Path
) -> None:
    server = start_server(repository, tmp_path / "log")
    try:
        command = (*OSTINATO, "generate", "The cat", "--target", server.target, "--max-chars", "3")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert files_below(home) == []
        assert [name for name in open_files(server.process.pid) if str(home) in name] == []
        assert foreign_addresses(server.process.pid) == []
    finally:
        assert stop_server(server) == 0


@pytest.mark.parametrize("package", ["ostinato_server", "ostinato_models", "ostinato_bench"])
def test_a_package_disables_telemetry_before_onnxruntime_is_imported(home: Path, package: str) -> None:
    command = (sys.executable, "-c", f"import {package}, onnxruntime")

    subprocess.run(command, check=True, timeout=60)

    assert files_below(home) == []


def test_a_choice_in_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    command = (sys.executable, "-c", "import ostinato_server, os; print(os.environ['ORT_DISABLE_TELEMETRY'])")

    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout == "0\n"
