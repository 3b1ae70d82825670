"""Files built without sanitizers, whatever the build: the guest's agent is a static program, which takes none."""

def _without_sanitizers(flags):
    return [flag for flag in flags if "sanitize" not in flag]

def _transition_impl(settings, _attr):
    return {option: _without_sanitizers(settings[option]) for option in _OPTIONS}

_OPTIONS = [
    "//command_line_option:copt",
    "//command_line_option:linkopt",
]

_transition = transition(
    implementation = _transition_impl,
    inputs = _OPTIONS,
    outputs = _OPTIONS,
)

def _unsanitized_files_impl(ctx):
    files = depset(transitive = [src[DefaultInfo].files for src in ctx.attr.srcs])
    return [DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files))]

unsanitized_files = rule(
    implementation = _unsanitized_files_impl,
    attrs = {
        "srcs": attr.label_list(cfg = _transition),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
)
