"""What went wrong, in words: what happened, why, and what to do next."""

import serial


class VirtualError(Exception):
    """An error that whoever uses the virtual board can act on; in a notebook it shows as its text,
    not as a stack."""

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__()
        self.args = what, why, next_step  # an OSError, as serial's errors are, would keep two
        self.what, self.why, self.next_step = what, why, next_step

    def __str__(self) -> str:
        labeled = (("Why: ", self.why), ("Next: ", self.next_step))
        return "\n".join([self.what, *(label + text for label, text in labeled if text)])

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of printing a stack."""
        return str(self).splitlines()


class PortError(VirtualError, serial.SerialException):  # type: ignore[misc]
    """The port cannot be opened or used as asked."""


class EmptyFlashError(PortError):
    """The board has no program."""
