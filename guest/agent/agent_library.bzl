"""A part of the agent: NAME.h and NAME.cc, compiled to be small."""

load("@rules_cc//cc:defs.bzl", "cc_library")

AGENT_COPTS = [
    "-Os",
    "-ffunction-sections",
    "-fdata-sections",
]

def agent_library(name, srcs = None, hdrs = None, **kwargs):
    cc_library(
        name = name,
        srcs = [name + ".cc"] if srcs == None else srcs,
        hdrs = [name + ".h"] if hdrs == None else hdrs,
        copts = AGENT_COPTS,
        **kwargs
    )
