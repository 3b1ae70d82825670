"""The Debian package with the guest's kernel, out of the cache that tools/setup.sh keeps."""

_DEFAULT_CACHE = "/var/cache/vcd/guest"

def _guest_kernel_impl(rctx):
    cache = rctx.os.environ.get("VCD_GUEST_CACHE", _DEFAULT_CACHE)
    package = rctx.path(cache + "/linux-image.deb")
    if not package.exists:
        fail("%s is missing: run tools/setup.sh, which fetches the guest's kernel" % package)

    # A link, not a copy: Bazel looks at what it points to, so a newer kernel makes a new image.
    rctx.symlink(package, "linux-image.deb")
    rctx.file("WORKSPACE", "workspace(name = %r)\n" % rctx.name)
    rctx.file("BUILD", "exports_files([\"linux-image.deb\"])\n")

guest_kernel = repository_rule(
    implementation = _guest_kernel_impl,
    environ = ["VCD_GUEST_CACHE"],
    local = True,
    doc = "Brings linux-image.deb of the guest cache into the build.",
)
