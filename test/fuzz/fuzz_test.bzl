"""A fuzz target, as a test of the ordinary run and as a libFuzzer program."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_test(name, srcs, deps, inputs, tags = [], **kwargs):
    """NAME tries its seeds and so many mutations of them; NAME_libfuzzer goes on for as long as one lets it.

    bazel build --config=fuzz //pkg:NAME_libfuzzer; NAME --write-seeds=DIR makes a corpus to begin with.

    Args:
      name: of the test.
      srcs: what test/fuzz/fuzz_target.h asks for.
      deps: of the target.
      inputs: how many mutations the test tries: some seconds' worth.
      tags: of both.
      **kwargs: of the test.
    """
    cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        args = ["--inputs=%d" % inputs],
        tags = tags,
        deps = deps + ["//test/fuzz:fuzz_driver"],
        **kwargs
    )

    # Needs --config=fuzz, which brings libFuzzer's main.
    cc_binary(
        name = name + "_libfuzzer",
        testonly = True,
        srcs = srcs,
        tags = tags + ["manual"],
        deps = deps + ["//test/fuzz:fuzz_target"],
    )
