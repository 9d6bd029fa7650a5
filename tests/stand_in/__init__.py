"""A stand-in for ST's stedgeai and stm32ai: no line of it is ST's, and it is none of their tools.

It behaves as the documents and help texts say that they do: the same options, files, macros and
errors, for the versions that are in use. What it says about a network is true: it asks the open
engine. `installation.install` makes an installation of it in a folder, and `runtime.equip` gives
that a runtime library which computes (api/), for the chip's program.
"""
