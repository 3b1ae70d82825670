"""C++ out of .proto files, with the distribution's protoc and gRPC plugin."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def _generated(srcs, suffixes):
    return [src[:-len(".proto")] + suffix for src in srcs for suffix in suffixes]

def _protoc(name, srcs, imports, outs, arguments):
    native.genrule(
        name = name,
        srcs = srcs + imports,
        outs = outs,
        cmd = "protoc -I. " + arguments + " " + " ".join(["$(execpath %s)" % src for src in srcs]),
    )

def cc_message_library(name, srcs, imports = [], deps = [], lite = False, **kwargs):
    """Message classes only: what `core` and the guest may include.

    Args:
      name: the cc_library.
      srcs: .proto files of this package.
      imports: .proto files of other packages that srcs import, as labels.
      deps: cc_message_library targets of those imports.
      lite: generate for the protobuf-lite runtime.
      **kwargs: passed to cc_library.
    """
    outs = _generated(srcs, [".pb.h", ".pb.cc"])
    _protoc(name + "_protoc", srcs, imports, outs, "--cpp_out=%s$(GENDIR)" % ("lite:" if lite else ""))
    cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        deps = deps + ["//third_party:protobuf_lite" if lite else "//third_party:protobuf"],
        **kwargs
    )

def cc_service_library(name, srcs, imports = [], deps = [], **kwargs):
    """Messages, stubs and service bases of .proto files that declare services.

    Args:
      name: the cc_library.
      srcs: .proto files of this package.
      imports: .proto files that srcs import, as labels.
      deps: cc_message_library targets of those imports.
      **kwargs: passed to cc_library.
    """
    outs = _generated(srcs, [".pb.h", ".pb.cc", ".grpc.pb.h", ".grpc.pb.cc"])
    _protoc(
        name + "_protoc",
        srcs,
        imports,
        outs,
        "--cpp_out=$(GENDIR) --grpc_out=$(GENDIR) --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin)",
    )
    cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        deps = deps + ["//third_party:grpcpp"],
        **kwargs
    )
