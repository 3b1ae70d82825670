"""Local stand-ins for the repositories that Bazel 4 fetches unless they are defined.

`@rules_cc` and `@rules_java` forward to the rules built into Bazel, so that BUILD files can already carry the loads
that later Bazel versions demand. `@remote_coverage_tools` is wanted by every test target, covered or not.
"""

_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "objc_library",
]

_JAVA_RULES = [
    "java_binary",
    "java_import",
    "java_library",
    "java_proto_library",
    "java_runtime",
    "java_test",
    "java_toolchain",
]

def _native_forwards(rules):
    return "\n".join(["def {r}(**kwargs):\n    native.{r}(**kwargs)\n".format(r = rule) for rule in rules])

_COVERAGE_BUILD = """\
package(default_visibility = ["//visibility:public"])

sh_binary(
    name = "lcov_merger",
    srcs = ["merge_lcov.py"],
)

sh_binary(
    name = "coverage_report_generator",
    srcs = ["merge_lcov.py"],
)
"""

def _inline_repository_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = %r)\n" % rctx.name)
    for path, text in rctx.attr.files.items():
        rctx.file(path, text)
    for label, path in rctx.attr.symlinks.items():
        rctx.symlink(label, path)

_inline_repository = repository_rule(
    implementation = _inline_repository_impl,
    attrs = {
        "files": attr.string_dict(doc = "Path in the repository to its text."),
        "symlinks": attr.label_keyed_string_dict(doc = "File of this tree to its path in the repository."),
    },
)

def offline_stubs():
    """Defines the repositories that Bazel would otherwise download."""
    _inline_repository(name = "rules_cc", files = {"cc/BUILD": "", "cc/defs.bzl": _native_forwards(_CC_RULES)})
    _inline_repository(name = "rules_java", files = {"java/BUILD": "", "java/defs.bzl": _native_forwards(_JAVA_RULES)})
    _inline_repository(
        name = "remote_coverage_tools",
        files = {"BUILD": _COVERAGE_BUILD},
        symlinks = {"//third_party/coverage:merge_lcov.py": "merge_lcov.py"},
    )
