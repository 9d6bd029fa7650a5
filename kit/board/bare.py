"""A bare program on a board: an input's bytes there, an output's back, and nothing else."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.board.board import Progress
from kit.board.link import CYCLES_PER_MAC, LINE_BITS, REPLY_SECONDS, SAFE_BAUD
from kit.board.ports import open_port, resolve
from kit.board.requests import LinkError
from kit.generate import Generated
from kit.model.reference import check_inputs

CORE_HZ = 4_000_000  # of the slowest chip after a reset


def run_bare(
    url: str, network: Generated, inputs: npt.NDArray[Any], progress: Progress = iter
) -> npt.NDArray[Any]:
    """The (first) outputs that the bare program of a network gives on the board at `url`: shape
    (n, *its own without its batch), for `inputs` as `kit.HostNetwork.run` takes them.

    Raises KitError for other inputs, a port that does not open, or a board that does not answer.
    """
    check_inputs(inputs, network.input.shape[1:], network.input.dtype)
    output, seconds = network.output, LINE_BITS * network.input.bytes / SAFE_BAUD
    with open_port(resolve(url)) as port:
        port.timeout = REPLY_SECONDS + seconds + CYCLES_PER_MAC * network.macs / CORE_HZ
        rows = [exchange(port, one.tobytes(), output.bytes) for one in progress(inputs)]
    return np.frombuffer(b"".join(rows), output.dtype).reshape(-1, *output.shape[1:])


def exchange(port: Any, sent: bytes, wanted: int) -> bytes:
    """An input to a bare program, and so many bytes of output back. LinkError when they do not come
    before the port's timeout."""
    port.write(sent)
    came = bytes(port.read(wanted))
    if len(came) == wanted:
        return came
    raise LinkError(
        f"The bare program on {port.port} sent {len(came)} of {wanted} bytes.",
        f"It answers when all {len(sent)} bytes of an input have come; perhaps one was lost.",
        "Press the black button and run this again. Is it the bare program of this network that "
        "is on the board?",
    )
