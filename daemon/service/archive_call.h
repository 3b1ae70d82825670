// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_ARCHIVE_CALL_H_
#define VCD_DAEMON_SERVICE_ARCHIVE_CALL_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"

namespace vcd {

// ContainerService.ReadArchive and WriteArchive, to be returned by their handlers; they belong to gRPC. Each is a
// process of the guest whose output, or input, is the call's stream; it ends with the call, whichever ends first. The
// runtime outlives them.
grpc::ServerWriteReactor<v1::ReadArchiveResponse>* StartReadArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context,
                                                                    const v1::ReadArchiveRequest& request);
grpc::ServerReadReactor<v1::WriteArchiveRequest>* StartWriteArchive(PodRuntime& runtime,
                                                                    grpc::CallbackServerContext* context);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_ARCHIVE_CALL_H_
