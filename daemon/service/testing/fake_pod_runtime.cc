// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/testing/fake_pod_runtime.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status/error_detail.h"

namespace vcd {

class FakePodRuntime::Reader : public OutputReader {
 public:
  explicit Reader(FakePodRuntime& owner) : owner_(owner) {
    MutexLock lock(&owner_.mu_);
    owner_.readers_.insert(this);
    owner_.changed_.NotifyAll();
  }

  ~Reader() override {
    MutexLock lock(&owner_.mu_);
    while (running_) owner_.changed_.Wait(&owner_.mu_);
    owner_.readers_.erase(this);
    owner_.changed_.NotifyAll();
  }

  void Next(Callback callback) override {
    {
      MutexLock lock(&owner_.mu_);
      callback_ = std::move(callback);
    }
    owner_.Serve();
  }

  // The fields are guarded by the owner's mu_, which the analysis cannot name.
  FakePodRuntime& owner_;
  Callback callback_;
  size_t next_ = 0;
  bool running_ = false;
};

class FakePodRuntime::Waiter : public WaitHandle {
 public:
  Waiter(FakePodRuntime& owner, std::function<void(absl::StatusOr<v1::ExitStatus>)> callback)
      : owner_(owner), callback_(std::move(callback)) {
    MutexLock lock(&owner_.mu_);
    owner_.waits_.insert(this);
    owner_.changed_.NotifyAll();
  }

  ~Waiter() override {
    MutexLock lock(&owner_.mu_);
    while (running_) owner_.changed_.Wait(&owner_.mu_);
    owner_.waits_.erase(this);
    owner_.changed_.NotifyAll();
  }

  FakePodRuntime& owner_;
  std::function<void(absl::StatusOr<v1::ExitStatus>)> callback_;
  bool running_ = false;
};

std::string FakePodRuntime::NameOf(const ProcessKey& process) {
  return absl::StrCat(process.container_id, ":", process.process_id);
}

FakePodRuntime::FakePodRuntime() = default;
FakePodRuntime::~FakePodRuntime() = default;

void FakePodRuntime::SetPods(std::vector<v1::Pod> pods) {
  MutexLock lock(&mu_);
  pods_.clear();
  for (const v1::Pod& pod : pods) pods_.push_back(std::make_shared<const PodSnapshot>(pod));
}

void FakePodRuntime::SetAnswer(absl::Status answer) {
  MutexLock lock(&mu_);
  answer_ = std::move(answer);
}

void FakePodRuntime::Write(StdStream stream, const std::string& data) {
  {
    MutexLock lock(&mu_);
    output_.push_back({stream, data, absl::UnixEpoch() + absl::Milliseconds(1500)});
  }
  Serve();
}

void FakePodRuntime::EndOutput(absl::Status status) {
  {
    MutexLock lock(&mu_);
    output_end_ = std::move(status);
  }
  Serve();
}

void FakePodRuntime::Exit(int code) {
  v1::ExitStatus status;
  status.set_code(code);
  mu_.Lock();
  exit_code_ = code;
  for (bool found = true; found;) {
    found = false;
    for (Waiter* wait : waits_) {
      if (wait->callback_ == nullptr) continue;
      auto callback = std::exchange(wait->callback_, nullptr);
      wait->running_ = found = true;
      mu_.Unlock();
      callback(status);
      mu_.Lock();
      wait->running_ = false;
      changed_.NotifyAll();
      break;
    }
  }
  mu_.Unlock();
}

void FakePodRuntime::HoldInput(bool hold) {
  MutexLock lock(&mu_);
  hold_input_ = hold;
}

void FakePodRuntime::TakeInput(absl::Status status) {
  DoneCallback done;
  {
    MutexLock lock(&mu_);
    if (input_done_.empty()) return;
    done = std::move(input_done_.front());
    input_done_.pop_front();
  }
  done(std::move(status));
}

void FakePodRuntime::BeginRecovery() {
  MutexLock lock(&mu_);
  recovering_ = true;
}

void FakePodRuntime::EndRecovery(const absl::Status& status) {
  std::vector<DoneCallback> done;
  {
    MutexLock lock(&mu_);
    recovering_ = false;
    done.swap(recovery_done_);
  }
  for (const DoneCallback& each : done) each(status);
}

void FakePodRuntime::AwaitRecovery(const std::string&, absl::Time deadline, DoneCallback done) {
  {
    MutexLock lock(&mu_);
    last_deadline_ = deadline;
    if (recovering_) {
      recovery_done_.push_back(std::move(done));
      changed_.NotifyAll();
      return;
    }
  }
  done(absl::OkStatus());
}

std::vector<std::string> FakePodRuntime::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

std::string FakePodRuntime::input() const {
  MutexLock lock(&mu_);
  return input_;
}

bool FakePodRuntime::input_closed() const {
  MutexLock lock(&mu_);
  return input_closed_;
}

absl::Time FakePodRuntime::last_deadline() const {
  MutexLock lock(&mu_);
  return last_deadline_;
}

void FakePodRuntime::AwaitInput(const std::string& input) const {
  MutexLock lock(&mu_);
  while (input_ != input) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitInputClosed() const {
  MutexLock lock(&mu_);
  while (!input_closed_) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitCall(const std::string& call) const {
  MutexLock lock(&mu_);
  while (std::find(calls_.begin(), calls_.end(), call) == calls_.end()) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitWriter(bool there) const {
  MutexLock lock(&mu_);
  while (input_taken_ != there) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitReaders(int count) const {
  MutexLock lock(&mu_);
  while (static_cast<int>(readers_.size()) != count) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitRecoveryWaits(int count) const {
  MutexLock lock(&mu_);
  while (static_cast<int>(recovery_done_.size()) != count) changed_.Wait(&mu_);
}

void FakePodRuntime::AwaitWaits(int count) const {
  MutexLock lock(&mu_);
  while (static_cast<int>(waits_.size()) != count) changed_.Wait(&mu_);
}

void FakePodRuntime::Serve() {
  mu_.Lock();
  for (bool found = true; found;) {
    found = false;
    for (Reader* reader : readers_) {
      const bool has_chunk = reader->next_ < output_.size();
      if (reader->callback_ == nullptr || (!has_chunk && !output_end_.has_value())) continue;
      OutputReader::Callback callback = std::exchange(reader->callback_, nullptr);
      absl::StatusOr<std::optional<OutputChunk>> result = std::optional<OutputChunk>();
      if (has_chunk) {
        result = std::optional<OutputChunk>(output_[reader->next_++]);
      } else if (!output_end_->ok()) {
        result = *output_end_;
      }
      reader->running_ = found = true;
      mu_.Unlock();
      callback(std::move(result));
      mu_.Lock();
      reader->running_ = false;
      changed_.NotifyAll();
      break;
    }
  }
  mu_.Unlock();
}

absl::Status FakePodRuntime::Note(const std::string& call, absl::Time deadline) {
  MutexLock lock(&mu_);
  calls_.push_back(call);
  changed_.NotifyAll();
  if (deadline != absl::InfiniteFuture()) last_deadline_ = deadline;
  return answer_;
}

void FakePodRuntime::AnswerPod(const std::string& call, const std::string& pod_id, absl::Time deadline,
                               const PodCallback& done) {
  const absl::Status answer = Note(call, deadline);
  if (!answer.ok()) return done(answer);
  v1::Pod pod;
  pod.set_id(pod_id);
  done(std::move(pod));
}

void FakePodRuntime::AnswerContainer(const std::string& call, const std::string& pod_id,
                                     const std::string& container_id, absl::Time deadline,
                                     const ContainerCallback& done) {
  const absl::Status answer = Note(call, deadline);
  if (!answer.ok()) return done(answer);
  v1::Container container;
  container.set_id(container_id);
  container.set_pod_id(pod_id);
  done(std::move(container));
}

absl::StatusOr<std::shared_ptr<const PodSnapshot>> FakePodRuntime::GetPod(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  for (const auto& pod : pods_) {
    if (pod->id() == pod_id) return pod;
  }
  return WithDetail(absl::NotFoundError(absl::StrCat("no pod `", pod_id, "`")),
                    {v1::ERROR_REASON_POD_NOT_FOUND, {{"pod_id", pod_id}}});
}

std::vector<std::shared_ptr<const PodSnapshot>> FakePodRuntime::ListPods() const {
  MutexLock lock(&mu_);
  return pods_;
}

std::vector<std::shared_ptr<const PodSnapshot>> FakePodRuntime::ListPodsAfter(const std::string& id,
                                                                              size_t most) const {
  std::vector<std::shared_ptr<const PodSnapshot>> after;
  for (const auto& pod : ListPods()) {
    if (pod->id() > id && after.size() < most) after.push_back(pod);
  }
  return after;
}

void FakePodRuntime::CreatePod(v1::PodConfig config, const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("CreatePod ", config.id()), config.id(), options.deadline, done);
}

void FakePodRuntime::RunPod(v1::PodConfig config, const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("RunPod ", config.id()), config.id(), options.deadline, done);
}

void FakePodRuntime::StartPod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("StartPod ", pod_id), pod_id, options.deadline, done);
}

void FakePodRuntime::StopPod(const std::string& pod_id, const StopOptions& stop, const MutationOptions& options,
                             PodCallback done) {
  AnswerPod(absl::StrCat("StopPod ", pod_id, " force=", stop.force, " grace=", absl::FormatDuration(stop.grace)),
            pod_id, options.deadline, done);
}

void FakePodRuntime::PausePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("PausePod ", pod_id), pod_id, options.deadline, done);
}

void FakePodRuntime::ResumePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("ResumePod ", pod_id), pod_id, options.deadline, done);
}

void FakePodRuntime::DeletePod(const std::string& pod_id, bool force, const MutationOptions& options,
                               std::function<void(absl::StatusOr<Released>)> done) {
  const absl::Status answer = Note(absl::StrCat("DeletePod ", pod_id, " force=", force), options.deadline);
  answer.ok() ? done(Released{{"VM"}, {"network cni: busy"}}) : done(answer);
}

void FakePodRuntime::UpdatePod(const std::string& pod_id, const v1::VmResources& resources,
                               const MutationOptions& options, PodCallback done) {
  AnswerPod(absl::StrCat("UpdatePod ", pod_id, " ", resources.ShortDebugString()), pod_id, options.deadline, done);
}

void FakePodRuntime::UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                                          const std::vector<std::string>& remove_keys, const MutationOptions& options,
                                          PodCallback done) {
  AnswerPod(absl::StrCat("UpdatePodAnnotations ", pod_id, " set ", absl::StrJoin(set, ",", absl::PairFormatter("=")),
                         " remove ", absl::StrJoin(remove_keys, ",")),
            pod_id, options.deadline, done);
}

void FakePodRuntime::Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd,
                          const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) {
  const absl::Status answer =
      Note(absl::StrCat("Exec ", pod_id, " ", container_id, " ", absl::StrJoin(cmd.args(), " ")), options.deadline);
  if (!answer.ok()) return done(answer);
  done(ExecResult{"exec-1", 42});
}

absl::StatusOr<std::vector<v1::ExecInfo>> FakePodRuntime::ListExecs(const std::string& pod_id,
                                                                    const std::string& container_id) const {
  {
    MutexLock lock(&mu_);
    if (!answer_.ok()) return answer_;
  }
  std::vector<v1::ExecInfo> execs(2);
  for (v1::ExecInfo& exec : execs) exec.set_container_id(container_id.empty() ? pod_id : container_id);
  execs[0].set_process_id("exec-1");
  execs[1].set_process_id("exec-2");
  execs[1].mutable_exit_status()->set_code(3);
  return execs;
}

void FakePodRuntime::ExecArchive(const std::string& pod_id, const std::string& container_id, GuestArchive archive,
                                 const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) {
  const absl::Status answer =
      Note(absl::StrCat("ExecArchive ", pod_id, " ", container_id, " ", archive.path, " write=", archive.write,
                        " follow=", archive.follow_symlink, " stat=", archive.stat_only, " owner=", archive.keep_owner),
           options.deadline);
  if (!answer.ok()) return done(answer);
  done(ExecResult{"copy-1", 42});
}

void FakePodRuntime::Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                            const MutationOptions& options, DoneCallback done) {
  done(Note(absl::StrCat("Signal ", pod_id, " ", NameOf(process), " ", signal, " all=", all), options.deadline));
}

std::unique_ptr<PodRuntime::WaitHandle> FakePodRuntime::Wait(const std::string& pod_id, const ProcessKey& process,
                                                             std::function<void(absl::StatusOr<v1::ExitStatus>)> done) {
  const absl::Status answer = Note(absl::StrCat("Wait ", pod_id, " ", NameOf(process)));
  std::optional<int> code;
  {
    MutexLock lock(&mu_);
    code = exit_code_;
  }
  if (answer.ok() && !code.has_value()) return std::make_unique<Waiter>(*this, std::move(done));
  v1::ExitStatus status;
  status.set_code(code.value_or(0));
  done(answer.ok() ? absl::StatusOr<v1::ExitStatus>(status) : answer);
  return nullptr;
}

absl::StatusOr<std::unique_ptr<OutputReader>> FakePodRuntime::NewReader(const std::string& call) {
  const absl::Status answer = Note(call);
  if (!answer.ok()) return answer;
  return std::make_unique<Reader>(*this);
}

absl::StatusOr<std::unique_ptr<OutputReader>> FakePodRuntime::Attach(const std::string& pod_id,
                                                                     const ProcessKey& process, OutputStart start) {
  return NewReader(
      absl::StrCat("Attach ", pod_id, " ", NameOf(process), " from_start=", start == OutputStart::kBeginning));
}

absl::StatusOr<std::unique_ptr<OutputReader>> FakePodRuntime::ReadLogs(const std::string& pod_id,
                                                                       const std::string& container_id,
                                                                       const LogSelection& selection) {
  const std::string tail = selection.tail_lines.has_value() ? absl::StrCat(*selection.tail_lines) : "all";
  const std::string since =
      selection.since.has_value() ? absl::FormatTime(*selection.since, absl::UTCTimeZone()) : "ever";
  return NewReader(absl::StrCat("ReadLogs ", pod_id, " ", container_id, " follow=", selection.follow, " tail=", tail,
                                " since=", since));
}

absl::StatusOr<std::unique_ptr<OutputReader>> FakePodRuntime::ReadConsole(const std::string& pod_id,
                                                                          const ConsoleSelection& selection) {
  return NewReader(
      absl::StrCat("ReadConsole ", pod_id, " follow=", selection.follow, " tail_bytes=", selection.tail_bytes));
}

class FakePodRuntime::Writer : public InputWriter {
 public:
  explicit Writer(FakePodRuntime& runtime) : runtime_(runtime) {}
  ~Writer() override {
    MutexLock lock(&runtime_.mu_);
    runtime_.input_taken_ = false;
    runtime_.changed_.NotifyAll();
  }
  void Write(std::string data, bool close, std::function<void(absl::Status)> done) override {
    runtime_.WriteInput(std::move(data), close, std::move(done));
  }

 private:
  FakePodRuntime& runtime_;
};

absl::StatusOr<std::unique_ptr<InputWriter>> FakePodRuntime::OpenInput(const std::string&, const ProcessKey&) {
  MutexLock lock(&mu_);
  changed_.NotifyAll();
  if (std::exchange(input_taken_, true)) {
    return WithDetail(absl::FailedPreconditionError("another attach writes"), {v1::ERROR_REASON_STDIN_TAKEN, {}});
  }
  return std::make_unique<Writer>(*this);
}

bool FakePodRuntime::HasWriter(const std::string&, const ProcessKey&) const {
  MutexLock lock(&mu_);
  return input_taken_;
}

void FakePodRuntime::CloseInput(const std::string&, const ProcessKey&, absl::Time, DoneCallback done) {
  WriteInput("", /*close=*/true, std::move(done));
}

void FakePodRuntime::ResizeTerminal(const std::string& pod_id, const ProcessKey& process, const v1::TerminalSize& size,
                                    const MutationOptions& options, DoneCallback done) {
  done(Note(absl::StrCat("ResizeTerminal ", pod_id, " ", NameOf(process), " ", size.columns(), "x", size.rows()),
            options.deadline));
}

void FakePodRuntime::WriteInput(std::string data, bool close, DoneCallback done) {
  absl::Status answer;
  {
    MutexLock lock(&mu_);
    input_ += data;
    input_closed_ = input_closed_ || close;
    answer = answer_;
    changed_.NotifyAll();
    if (hold_input_) {
      input_done_.push_back(std::move(done));
      return;
    }
  }
  done(answer);
}

}  // namespace vcd
