"""How code that the guest's agent links is compiled, also in debug builds: to be small. Nothing of it throws, and what the
libraries throw ends the agent, so it needs no tables to unwind by; debuggers have the frame pointers of the rest."""

GUEST_COPTS = [
    "-Os",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-fomit-frame-pointer",
]
