"""What ST's runtime says when it fails, in words; the numbers are from ST Edge AI Core's
documentation of the st-ai API (stai_return_code) and of the legacy API (ai_error)."""

BUFFERS = "Give it a static array of the size that network.h says, at an address divisible by 32."
START = "Start the runtime in the order of firmware/engine/stai/engine.c."
REGENERATE = "Generate again, and build with headers and library of the same version."
CONTEXT = "Declare the context with STAI_NETWORK_CONTEXT_DECLARE and STAI_NETWORK_CONTEXT_SIZE."
CRC = "Switch the CRC unit's clock on before (board_crc_start), as firmware/engine/ does."

ST_AI = {
    0x020000: ("an error that it does not explain", REGENERATE),
    0x020001: ("wrong arguments", START),
    0x030000: ("this is no context of a network: it was not initialized", START),
    0x030001: ("the size of the network's context is wrong", CONTEXT),
    0x030002: ("the network's context is not aligned", CONTEXT),
    0x030010: ("no information on this network", REGENERATE),
    0x030020: ("the network cannot run", START),
    0x030030: ("the runtime is not that of the generated code", REGENERATE),
    0x040000: ("the activations are not set", BUFFERS),
    0x040001: ("a wrong number of activations buffers", BUFFERS),
    0x040010: ("the input is not set", START),
    0x040011: ("a wrong number of inputs", START),
    0x040020: ("the output is not set", START),
    0x040021: ("a wrong number of outputs", START),
    0x040040: ("the weights are not set", REGENERATE),
    0x040041: ("a wrong number of weights buffers", REGENERATE),
    0x040060: ("not implemented in this runtime", REGENERATE),
    0x040070: ("the alignment of a buffer is wrong", BUFFERS),
    0x050000: ("the network is still running", START),
    0x060000: ("the runtime could not be initialized", CRC),
}
LEGACY_TYPES = {
    0x01: "code and runtime are of different versions",
    0x02: "types do not match",
    0x10: "no such network",
    0x11: "the network is not in the state for this call",
    0x12: "wrong input",
    0x13: "wrong output",
    0x14: "wrong parameter",
    0x15: "the network is not one of this runtime",
    0x16: "wrong size",
    0x17: "wrong value",
    0x30: "the initialization failed",
    0x31: "memory could not be had",
    0x33: "the network could not be created",
}
OURS = {  # what firmware/engine itself finds wrong: ENGINE_ERROR_TENSORS and ENGINE_ERROR_TYPES
    0xFF000001: "ST's runtime gave no input or output, or an int8 one without a scale.",
    0xFF000002: "ST's runtime has an input or output of another type than the network was "
    "generated with: not int8 or float32.",
}
LEGACY_CODES = {
    0x10: ("the network", REGENERATE),
    0x11: ("its parameters", REGENERATE),
    0x12: ("its weights", REGENERATE),
    0x13: ("its activations", BUFFERS),
    0x14: ("a layer", REGENERATE),
    0x15: ("a tensor", REGENERATE),
    0x17: ("a pointer", BUFFERS),
    0x18: ("a size", BUFFERS),
    0x19: ("a format", REGENERATE),
    0x20: ("out of range", REGENERATE),
    0x21: ("the batch", REGENERATE),
    0x30: ("the initialization was left out", START),
    0x40: ("in use", START),
    0x41: ("locked: the CRC unit has no clock", CRC),
}


def explain_return_code(number: int) -> tuple[str, str]:
    """What the number in an ERROR frame means, and what to do; ("", "") for 0, no number. It is the
    return code of the st-ai API, or type (in the upper 8 bits) and code of the legacy API."""
    kind, code = number >> 24, number & 0xFFFFFF
    if not number:
        return "", ""
    if number in OURS:
        return OURS[number], REGENERATE
    if not kind:
        words, advice = ST_AI.get(code, ("a code that the kit does not know", REGENERATE))
        return f"ST's runtime returned {code:#08x}: {words}.", advice
    about, advice = LEGACY_CODES.get(code, ("", REGENERATE))
    what = LEGACY_TYPES.get(kind, "an error that the kit does not know")
    told = f"{what} ({about})" if about else what
    return f"ST's runtime reported type {kind:#04x}, code {code:#04x}: {told}.", advice
