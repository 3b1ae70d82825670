// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/archive/copy_rules.h"
#include "client/archive/tar_files.h"
#include "client/commands/choose_container.h"
#include "client/commands/commands.h"
#include "client/commands/copy_progress.h"
#include "client/daemon/rpc_error.h"
#include "client/posix/output.h"
#include "proto/vcd/v1/container_service.pb.h"

namespace vcd::client {
namespace {

// Of one message.
constexpr size_t kChunk = 256 << 10;

class CpCommand : public Command {
 public:
  std::string name() const override { return "cp"; }
  std::string summary() const override { return "Copy files into or out of a running container"; }

  void Declare(Arguments* arguments) override {
    arguments->Positional("SRC", &source_, "What to copy: PATH, POD:PATH or POD:CONTAINER:PATH; - is a tar stream");
    arguments->Positional("DST", &destination_, "Where to: the same; one of the two is of a container");
    arguments->Flag("-a,--archive", &keep_owner_, "Keep the numbers of owners (into a container; else all is root's)");
    arguments->Flag("-L,--follow-link", &follow_, "Copy what SRC leads to when it is a symbolic link");
    arguments->Flag("-q,--quiet", &quiet_, "No progress on a terminal");
    arguments->Footer(
        "Directories are copied with all in them. As with cp: into DST when it is a directory, else under its name;\n"
        "SRC/. is what is in the directory. A path in a container counts from its root; a local path with a colon\n"
        "begins with ./ or /. The container needs no tar program. With - the tar stream comes from standard input, to\n"
        "be unpacked in DST, or goes to standard output. Permissions and times are kept; sockets are left out,\n"
        "and so are device nodes, which is said.\n"
        "Example: vc cp site/. web:/srv/www\n"
        "         vc cp web:/var/log/app.log .\n"
        "         vc cp web:/etc - | tar -t");
  }

  int Run(Invocation& invocation) override {
    const absl::StatusOr<CopyPlace> source = ParseCopyPlace(source_);
    const absl::StatusOr<CopyPlace> destination = ParseCopyPlace(destination_);
    absl::Status status = source.ok() ? destination.status() : source.status();
    if (status.ok() && source->is_remote() == destination->is_remote()) {
      status =
          absl::InvalidArgumentError("one of the two, and one only, is of a container: POD:PATH or POD:CONTAINER:PATH");
    }
    if (!status.ok()) {
      invocation.Complain("", status);
      return kUsageError;
    }
    status =
        source->is_remote() ? CopyOut(invocation, *source, *destination) : CopyIn(invocation, *source, *destination);
    if (status.ok()) return incomplete_ ? kFailure : kSuccess;
    if (output_closed_) return kOutputClosed;
    invocation.Complain(source->is_remote() ? source_ : destination_, status);
    return kFailure;
  }

 private:
  static absl::StatusOr<PlaceKind> LocalKind(const std::string& path, bool follow) {
    struct stat status {};
    if ((follow ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status)) == 0) {
      return S_ISDIR(status.st_mode) ? PlaceKind::kDirectory : PlaceKind::kFile;
    }
    if (errno == ENOENT) return PlaceKind::kMissing;
    return absl::ErrnoToStatus(errno, path);
  }

  // What is at a place of a container. Its first entry alone comes over.
  static absl::StatusOr<PlaceKind> RemoteKind(DaemonClient& daemon, const v1::ReadArchiveRequest& place) {
    v1::ReadArchiveRequest request = place;
    request.set_stat_only(true);
    std::unique_ptr<ArchiveSource> stream = daemon.ReadArchive(request);
    std::string archive, data;
    while (stream->Read(&data)) archive += data;
    const absl::Status status = stream->Finish();
    if (ErrorReasonOf(status) == v1::ERROR_REASON_PATH_NOT_FOUND) return PlaceKind::kMissing;
    if (!status.ok()) return status;
    const absl::StatusOr<bool> is_directory = BeginsWithDirectory(archive);
    if (!is_directory.ok()) return is_directory.status();
    return *is_directory ? PlaceKind::kDirectory : PlaceKind::kFile;
  }

  static absl::StatusOr<v1::ReadArchiveRequest> RequestOf(DaemonClient& daemon, const CopyPlace& place, bool follow) {
    const absl::StatusOr<std::string> container_id = ChooseContainer(&daemon, place.pod_id, place.container_id);
    if (!container_id.ok()) return container_id.status();
    v1::ReadArchiveRequest request;
    request.set_pod_id(place.pod_id);
    request.set_container_id(*container_id);
    request.set_path(place.path);
    request.set_follow_symlink(follow);
    return request;
  }

  // Whether SRC names what a link leads to, and not the link: "LINK/" and "LINK/." do.
  bool FollowsSource(const CopyPlace& source) const {
    return follow_ || NamesContent(source.path) || WithoutSlashes(source.path) != source.path;
  }

  static std::string PathToPack(const std::string& path) {
    std::string plain = WithoutSlashes(path);
    while (plain.size() > 2 && plain.compare(plain.size() - 2, 2, "/.") == 0) {
      plain = WithoutSlashes(plain.substr(0, plain.size() - 1));
    }
    return plain == "/." ? "/" : plain;
  }

  absl::Status CopyIn(Invocation& invocation, const CopyPlace& source, const CopyPlace& destination) {
    DaemonClient& daemon = invocation.daemon();
    const bool from_stdin = source.path == "-";
    PlaceKind source_kind = PlaceKind::kDirectory;
    if (!from_stdin) {
      const absl::StatusOr<PlaceKind> kind = LocalKind(PathToPack(source.path), FollowsSource(source));
      if (!kind.ok()) return kind.status();
      source_kind = *kind;
      if (source_kind == PlaceKind::kMissing)
        return absl::NotFoundError(absl::StrCat(source.path, ": No such file or directory"));
    }
    const absl::StatusOr<v1::ReadArchiveRequest> place = RequestOf(daemon, destination, /*follow=*/true);
    if (!place.ok()) return place.status();
    v1::WriteArchiveRequest::Start start;
    start.set_pod_id(place->pod_id());
    start.set_container_id(place->container_id());
    start.set_keep_owner(keep_owner_);
    start.set_path(destination.path);
    CopyTarget target;
    if (!from_stdin) {
      const absl::StatusOr<PlaceKind> kind = RemoteKind(daemon, *place);
      if (!kind.ok()) return kind.status();
      const absl::StatusOr<CopyTarget> chosen = ChooseTarget(source.path, source_kind, destination.path, *kind);
      if (!chosen.ok()) return chosen.status();
      target = *chosen;
      start.set_path(target.directory);
    }
    CopyProgress progress(invocation.environment().streams.err, quiet_);
    std::unique_ptr<ArchiveSink> sink = daemon.WriteArchive(start);
    bool refused = false;
    const auto write = [&](absl::string_view bytes) -> absl::Status {
      for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kChunk))) {
        if (!sink->Write(std::string(bytes.substr(0, kChunk)))) {
          refused = true;
          return absl::CancelledError("the daemon takes no more");
        }
        progress.Add(std::min(bytes.size(), kChunk));
      }
      return absl::OkStatus();
    };
    absl::Status sent;
    SkippedNames skipped;
    if (from_stdin) {
      sent = ForwardInput(invocation.environment().streams.in, write);
    } else {
      PackOptions options;
      options.name = target.name;
      options.follow = FollowsSource(source);
      absl::StatusOr<SkippedNames> packed = PackFiles(PathToPack(source.path), options, write);
      sent = packed.status();
      if (packed.ok()) skipped = *std::move(packed);
    }
    // What the daemon says of a refusal is the cause; a failure of ours ends the call.
    if (!sent.ok() && !refused) return sent;
    const absl::Status unpacked = sink->Finish();
    if (unpacked.ok()) TellSkipped(invocation, progress, skipped);
    return unpacked;
  }

  static absl::Status ForwardInput(int fd, const std::function<absl::Status(absl::string_view)>& write) {
    std::string buffer(kChunk, '\0');
    while (true) {
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return absl::ErrnoToStatus(errno, "read standard input");
      if (got == 0) return absl::OkStatus();
      const absl::Status written = write(absl::string_view(buffer.data(), static_cast<size_t>(got)));
      if (!written.ok()) return written;
    }
  }

  absl::Status CopyOut(Invocation& invocation, const CopyPlace& source, const CopyPlace& destination) {
    DaemonClient& daemon = invocation.daemon();
    const absl::StatusOr<v1::ReadArchiveRequest> request = RequestOf(daemon, source, FollowsSource(source));
    if (!request.ok()) return request.status();
    CopyProgress progress(invocation.environment().streams.err, quiet_ || destination.path == "-");
    if (destination.path == "-") return ForwardOutput(invocation, *daemon.ReadArchive(*request));
    const absl::StatusOr<PlaceKind> source_kind = RemoteKind(daemon, *request);
    if (!source_kind.ok()) return source_kind.status();
    if (*source_kind == PlaceKind::kMissing) {
      return absl::NotFoundError(absl::StrCat(source.path, ": the container has no such file or directory"));
    }
    const absl::StatusOr<PlaceKind> destination_kind = LocalKind(destination.path, /*follow=*/true);
    if (!destination_kind.ok()) return destination_kind.status();
    const absl::StatusOr<CopyTarget> target =
        ChooseTarget(source.path, *source_kind, destination.path, *destination_kind);
    if (!target.ok()) return target.status();
    const absl::StatusOr<PlaceKind> parent = LocalKind(target->directory, /*follow=*/true);
    if (!parent.ok() || *parent != PlaceKind::kDirectory) {
      return absl::NotFoundError(absl::StrCat(target->directory, ": there is no such directory"));
    }
    const std::unique_ptr<ArchiveSource> stream = daemon.ReadArchive(*request);
    const ArchiveBytes bytes = [&]() -> absl::StatusOr<std::string> {
      std::string data;
      while (data.empty()) {
        if (!stream->Read(&data)) {
          const absl::Status ended = stream->Finish();
          if (!ended.ok()) return ended;
          return std::string();
        }
      }
      progress.Add(data.size());
      return data;
    };
    const absl::StatusOr<UnpackResult> result = UnpackFiles(target->directory, target->name, bytes);
    if (!result.ok()) return result.status();
    TellSkipped(invocation, progress, result->skipped);
    return absl::OkStatus();
  }

  void TellSkipped(Invocation& invocation, CopyProgress& progress, const SkippedNames& skipped) {
    if (skipped.empty()) return;
    progress.Clear();
    invocation.Complain(source_, absl::StrCat("device nodes are not copied: ", absl::StrJoin(skipped, ", ")));
    incomplete_ = true;
  }

  absl::Status ForwardOutput(Invocation& invocation, ArchiveSource& stream) {
    std::string data;
    while (stream.Read(&data)) {
      const int error = WriteFully(invocation.environment().streams.out, data);
      if (error == 0) continue;
      output_closed_ = error == EPIPE;
      return absl::ErrnoToStatus(error, "write standard output");
    }
    return stream.Finish();
  }

  std::string source_;
  std::string destination_;
  bool keep_owner_ = false;
  bool follow_ = false;
  bool quiet_ = false;
  bool incomplete_ = false;     // Something was left out, which was said.
  bool output_closed_ = false;  // Nobody reads standard output any more.
};

}  // namespace

std::unique_ptr<Command> NewCpCommand() { return std::make_unique<CpCommand>(); }

}  // namespace vcd::client
