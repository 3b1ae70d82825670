// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CNI_CNI_CLAIMS_H_
#define VCD_CORE_CNI_CNI_CLAIMS_H_

#include <vector>

#include "absl/status/status.h"
#include "core/cni/cni_attachment.h"
#include "core/cni/cni_result.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// Whether what the plugins of an attachment say that they did is there. `there` are the interfaces of its namespace,
// with their addresses. kFailedPrecondition (NETWORK) with what the result says and what there is, when the
// attachment's interface is not among them, or lacks an address, with its prefix, that the result gives to it by its
// index in `interfaces`; when another interface is not among them that the result has in that namespace; and when it
// has the attachment's in another one. A namespace is known by what it is, whatever its path. An address without an
// index may be anywhere, as one that is translated on the host; without addresses an interface is of layer 2 alone: all
// that is no error.
absl::Status CheckCniClaims(const CniAttachment& attachment, const CniResult& result,
                            const std::vector<v1::PodInterface>& there);

}  // namespace vcd

#endif  // VCD_CORE_CNI_CNI_CLAIMS_H_
