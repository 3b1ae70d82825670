"""The guest's kernels, out of the cache that tools/setup.sh keeps: Debian's package, and the small one if it was built."""

_DEFAULT_CACHE = "/var/cache/vcd/guest"

_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files(["linux-image.deb"])

filegroup(
    name = "small",
    srcs = glob(["small/vmlinux"], allow_empty = True),
)
"""

def _guest_kernel_impl(rctx):
    cache = rctx.os.environ.get("VCD_GUEST_CACHE", _DEFAULT_CACHE)
    package = rctx.path(cache + "/linux-image.deb")
    if not package.exists:
        fail("%s is missing: run tools/setup.sh, which fetches the guest's kernel" % package)

    # Links, not copies: Bazel looks at what they point to, so a newer kernel makes a new image.
    rctx.symlink(package, "linux-image.deb")
    rctx.symlink(cache + "/small", "small")
    rctx.file("WORKSPACE", "workspace(name = %r)\n" % rctx.name)
    rctx.file("BUILD", _BUILD)

guest_kernel = repository_rule(
    implementation = _guest_kernel_impl,
    environ = ["VCD_GUEST_CACHE"],
    local = True,
    doc = "Brings linux-image.deb and small/vmlinux of the guest cache into the build.",
)
