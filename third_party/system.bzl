"""Libraries of the distribution as Bazel targets, found with pkg-config."""

# One entry per target of @system:
#   modules   pkg-config modules that give defines and link options
#   linkopts  more link options, put before those of pkg-config
#   deps      other entries
#   archives  pkg-config modules whose archives are linked instead with -c opt, with all that those need (why:
#             docs/decisions/0013-grpc-is-linked-in.md)
#   forgotten archives that these modules need and do not name
_LIBRARIES = {
    "absl": struct(
        modules = ["absl_status", "absl_statusor", "absl_strings", "absl_str_format", "absl_cord", "absl_time", "absl_cleanup", "absl_random_random"],
        linkopts = [],
        deps = [],
        archives = ["absl_status", "absl_statusor", "absl_strings", "absl_str_format", "absl_cord", "absl_time", "absl_cleanup", "absl_random_random"],
    ),
    "archive": struct(modules = ["libarchive"], linkopts = [], deps = []),
    # Without the define it depends on what a file includes before asio.hpp whether memory comes from malloc or from new,
    # and one file's free meets another's new.
    "asio": struct(modules = [], linkopts = ["-pthread"], deps = [], defines = ["ASIO_DISABLE_STD_ALIGNED_ALLOC"]),
    "benchmark": struct(modules = ["benchmark"], linkopts = ["-lbenchmark_main"], deps = []),
    "cli11": struct(modules = [], linkopts = [], deps = []),
    "crypto": struct(modules = ["libcrypto"], linkopts = [], deps = []),
    "gmock": struct(modules = ["gmock"], linkopts = [], deps = []),
    "gmock_main": struct(modules = ["gmock_main"], linkopts = [], deps = []),
    "grpcpp": struct(
        modules = ["grpc++"],
        linkopts = ["-lgrpc++_reflection"],
        deps = ["absl", "protobuf"],
        archives = ["grpc++_unsecure"],
        forgotten = ["-lupb", "-laddress_sorting", "-lcares"],
    ),
    "json": struct(modules = ["nlohmann_json"], linkopts = [], deps = []),
    "netlink": struct(modules = ["libnl-route-3.0"], linkopts = [], deps = []),
    "prometheus": struct(modules = ["prometheus-cpp-core"], linkopts = [], deps = []),
    "protobuf": struct(modules = ["protobuf"], linkopts = [], deps = [], archives = ["protobuf"]),
    "protobuf_lite": struct(modules = ["protobuf-lite"], linkopts = [], deps = []),
    "seccomp": struct(modules = ["libseccomp"], linkopts = [], deps = []),
    "spdlog": struct(modules = ["spdlog", "fmt"], linkopts = [], deps = []),
    "tomlplusplus": struct(modules = [], linkopts = [], deps = []),
    "yaml_cpp": struct(modules = ["yaml-cpp"], linkopts = [], deps = []),
}

def _pkg_config(rctx, arguments):
    tool = rctx.which("pkg-config")
    if not tool:
        fail("pkg-config is not installed: run tools/setup.sh")
    result = rctx.execute([tool] + arguments)
    if result.return_code:
        fail("pkg-config %s: %s\nrun tools/setup.sh" % (" ".join(arguments), result.stderr))
    return [word for word in result.stdout.replace("\n", " ").split(" ") if word]

def _last_of_each(options):
    """Drops repeated options but keeps the last of each, which is the order that a static link needs."""
    seen = {}
    kept = []
    for option in reversed(options):
        if option not in seen and not option.startswith("-Wl,"):
            seen[option] = True
            kept.append(option)
    return reversed(kept)

def _archives(rctx, library):
    """The link options of a library whose archives are linked in; the group spares them an order."""
    libs = _pkg_config(rctx, ["--static", "--libs"] + library.archives)
    libs = _last_of_each(library.linkopts + libs + getattr(library, "forgotten", []))
    return ["-Wl,-Bstatic,--start-group"] + list(libs) + ["-Wl,--end-group,-Bdynamic"]

def _system_libs_impl(rctx):
    # Sanitizer builds name this list on the command line of every compilation, so every target must bring it along.
    rctx.symlink(Label("//tools:tsan.ignore"), "tsan.ignore")
    build = [
        "load(\"@rules_cc//cc:defs.bzl\", \"cc_library\")",
        "package(default_visibility = [\"//visibility:public\"])",
        "cc_library(name = \"base\", textual_hdrs = [\"tsan.ignore\"])",
        "config_setting(name = \"opt\", values = {\"compilation_mode\": \"opt\"})",
    ]
    for name, library in _LIBRARIES.items():
        defines = getattr(library, "defines", [])
        libs = []
        includes = []
        if library.modules:
            cflags = _pkg_config(rctx, ["--cflags"] + library.modules)
            defines = [flag[2:] for flag in cflags if flag.startswith("-D") and flag != "-DNOMINMAX"]
            for flag in cflags:
                if flag.startswith("-I") and flag != "-I/usr/include":
                    # Bazel takes no absolute include path: the library's own directory is linked into this repository.
                    includes.append("include/" + name)
                    rctx.symlink(flag[2:], includes[-1])
            libs = _pkg_config(rctx, ["--libs"] + library.modules)
        linkopts = list(_last_of_each(library.linkopts + libs))
        shared = ["-Wl,--as-needed"] + linkopts if linkopts else []
        optimised = _archives(rctx, library) if hasattr(library, "archives") else shared
        build.append("cc_library(name = %r, hdrs = glob(%r), includes = %r, defines = %r, linkopts = select({\":opt\": %r, \"//conditions:default\": %r}), deps = %r)" % (
            name,
            [directory + "/**/*.h" for directory in includes],
            includes,
            defines,
            optimised,
            shared,
            [":" + dep for dep in library.deps or ["base"]],
        ))
    rctx.file("WORKSPACE", "workspace(name = %r)\n" % rctx.name)
    rctx.file("BUILD", "\n".join(build) + "\n")

system_libs = repository_rule(
    implementation = _system_libs_impl,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    doc = "A repository with one cc_library per library that pkg-config knows.",
)
