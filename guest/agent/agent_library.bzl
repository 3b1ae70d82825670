"""A part of the agent: NAME.h and NAME.cc, compiled to be small."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("//build_defs:guest.bzl", "GUEST_COPTS")

def agent_library(name, srcs = None, hdrs = None, **kwargs):
    cc_library(
        name = name,
        srcs = [name + ".cc"] if srcs == None else srcs,
        hdrs = [name + ".h"] if hdrs == None else hdrs,
        copts = GUEST_COPTS,
        **kwargs
    )
