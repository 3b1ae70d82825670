"""The guest's kernel and modules, unpacked from the Debian package that tools/setup.sh keeps in its cache."""

_DEFAULT_CACHE = "/var/cache/vcd/guest"

_BUILD = """\
package(default_visibility = ["//visibility:public"])

filegroup(
    name = "vmlinuz",
    srcs = glob(["boot/vmlinuz-*"]),
)

filegroup(
    name = "modules",
    srcs = glob(["lib/modules/**"]),
)
"""

def _guest_kernel_impl(rctx):
    cache = rctx.os.environ.get("VCD_GUEST_CACHE", _DEFAULT_CACHE)
    package = rctx.path(cache + "/linux-image.deb")
    if not package.exists:
        fail("%s is missing: run tools/setup.sh, which fetches the guest's kernel" % package)
    result = rctx.execute(["dpkg-deb", "-x", str(package), "."])
    if result.return_code:
        fail("dpkg-deb -x %s: %s" % (package, result.stderr))
    rctx.file("WORKSPACE", "workspace(name = %r)\n" % rctx.name)
    rctx.file("BUILD", _BUILD)

guest_kernel = repository_rule(
    implementation = _guest_kernel_impl,
    environ = ["VCD_GUEST_CACHE"],
    doc = "Unpacks linux-image.deb of the guest cache.",
)
