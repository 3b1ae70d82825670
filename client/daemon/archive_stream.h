// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_ARCHIVE_STREAM_H_
#define VCD_CLIENT_DAEMON_ARCHIVE_STREAM_H_

#include <string>

#include "absl/status/status.h"

namespace vcd::client {

// A tar stream out of a container. One thread; destroying it ends the call.
class ArchiveSource {
 public:
  virtual ~ArchiveSource() = default;
  // Blocks until bytes come; false when there are no more.
  virtual bool Read(std::string* data) = 0;
  // How the call ended. Only after Read answered false.
  virtual absl::Status Finish() = 0;
};

// A tar stream into a container. One thread; destroying it ends the call, and what was written stays.
class ArchiveSink {
 public:
  virtual ~ArchiveSink() = default;
  // Blocks while the daemon takes no more; false when the call has ended: Finish says why.
  virtual bool Write(std::string data) = 0;
  // Ends the stream and waits until all of it is unpacked.
  virtual absl::Status Finish() = 0;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_ARCHIVE_STREAM_H_
