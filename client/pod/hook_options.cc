// SPDX-License-Identifier: Apache-2.0
#include "client/pod/hook_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/pod/option_text.h"

namespace vcd::client {
namespace {

constexpr char kKinds[] = "prestart, create-runtime, create-container, start-container, poststart, poststop";

// Adds a hook of that kind; null when there is no such kind.
v1::Hook* AddOfKind(const std::string& kind, v1::Hooks* hooks) {
  if (kind == "prestart") return hooks->add_prestart();
  if (kind == "create-runtime") return hooks->add_create_runtime();
  if (kind == "create-container") return hooks->add_create_container();
  if (kind == "start-container") return hooks->add_start_container();
  if (kind == "poststart") return hooks->add_poststart();
  if (kind == "poststop") return hooks->add_poststop();
  return nullptr;
}

}  // namespace

absl::Status AddHook(const std::string& text, v1::Hooks* hooks) {
  const auto pair = KeyAndValue("--hook", text);
  if (!pair.ok()) return absl::InvalidArgumentError(absl::StrCat("--hook \"", text, "\": must be KIND=PATH[,ARG...]"));
  const std::vector<std::string> words = absl::StrSplit(pair->second, ',');
  if (words[0].empty() || words[0][0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "--hook \"", text, "\": needs the absolute path of a program, as in ", pair->first, "=/usr/bin/probe"));
  }
  // As a configuration has it too.
  v1::Hook* hook = AddOfKind(absl::StrReplaceAll(pair->first, {{"_", "-"}}), hooks);
  if (hook == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--hook \"", text, "\": \"", pair->first, "\" is no kind of hook; known are ", kKinds));
  }
  hook->set_path(words[0]);
  *hook->mutable_args() = {words.begin(), words.end()};
  hook->add_env("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return absl::OkStatus();
}

void HookOptions::Declare(Arguments* arguments) {
  arguments->Heading("Hooks");
  arguments->Repeated("--hook", &hooks_, "KIND=PATH[,ARG...]",
                      absl::StrCat("A program that runs in the life of the pod; KIND is one of ", kKinds));
  arguments->Heading("");
}

absl::Status HookOptions::Apply(v1::PodConfig* config) const {
  for (const std::string& text : hooks_) {
    if (absl::Status status = AddHook(text, config->mutable_hooks()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace vcd::client
