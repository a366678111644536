"""Kernels of the suite's own interpreter: forked from the fork server, else new interpreters."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

from lib.market.errors import RunError
from lib.weekly.forking import Running, fork_server, kernel_environment
from lib.weekly.forkserver import run_kernel


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel as a process of the fork server, or as a new interpreter.

    Attributes
    ----------
    fallback : str or None
        Why the kernel is a new interpreter.
    """

    fallback: str | None = None
    process: Any = None

    async def launch_kernel(self, cmd: list[str], **options: Any):
        """Fork a kernel; a new interpreter is the fallback."""
        try:
            started = fork_server().fork(
                run_kernel,
                cmd[cmd.index("ipykernel_launcher") + 1 :],
                environment=options["env"],
                folder=options.get("cwd") or Path.cwd(),
            )
        except RunError as error:
            self.fallback = error.message
            return await super().launch_kernel(cmd, **options)
        self.process, self.pid, self.pgid = started, started.pid, started.pid
        self.cwd = options.get("cwd", Path.cwd())
        return self.connection_info


class OwnKernelManager(AsyncKernelManager):
    """Starts ipykernel in the interpreter of the suite, whichever kernel is installed as
    ``python3``.

    Attributes
    ----------
    extra : dict
        Further environment variables of the kernel.
    running : Running
        Processes of the run, to which the kernel is added.
    fallback : str or None
        Why the kernel is a new interpreter, set when it starts.
    """

    extra: ClassVar[dict[str, str]] = {}
    running: ClassVar[Running] = Running()
    fallback: ClassVar[str | None] = None

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return the specification of this interpreter's kernel."""
        return KernelSpec(
            # the kernel logs an orderly shutdown as an error; exceptions of cells are returned
            # anyway
            argv=[
                sys.executable,
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                "--log-level=CRITICAL",
            ],
            display_name="Python 3",
            language="python",
            env=kernel_environment() | self.extra,
            metadata={"supported_encryption": ["curve"]},
        )

    async def _async_pre_start_kernel(self, **options: Any):
        self.kernel_id = self.kernel_id or str(uuid.uuid4())
        self.provisioner = ForkedProvisioner(
            kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
        )
        return await super()._async_pre_start_kernel(**options)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        await super()._async_launch_kernel(kernel_cmd, **options)
        started = self.provisioner
        assert isinstance(started, ForkedProvisioner)
        self.running.add(started.process)
        type(self).fallback = started.fallback
