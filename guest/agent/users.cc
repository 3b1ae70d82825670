// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/users.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace vcd::guest {
namespace {

// The largest id that tools agree on: -1 means "leave it" to the kernel, and some files hold signed numbers.
constexpr uint32_t kMaxId = 0x7fffffff;

std::optional<uint32_t> ParseId(std::string_view text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || id > kMaxId) return std::nullopt;
  return id;
}

// Cuts `*rest` at the first `separator` and gives what stood before it.
std::string_view CutField(std::string_view* rest, char separator) {
  const size_t at = rest->find(separator);
  const std::string_view field = rest->substr(0, at);
  rest->remove_prefix(at == std::string_view::npos ? rest->size() : at + 1);
  return field;
}

// One line of passwd (name:password:uid:gid:comment:home:shell) or group (name:password:gid:members).
template <size_t kFields>
std::array<std::string_view, kFields> Fields(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::string_view& field : fields) field = CutField(&line, ':');
  return fields;
}

struct PasswdEntry {
  std::string_view name;
  uint32_t uid;
  uint32_t gid;
  std::string_view home;
};

template <typename Matches>
std::optional<PasswdEntry> FindUser(std::string_view passwd, const Matches& matches) {
  while (!passwd.empty()) {
    const auto fields = Fields<7>(CutField(&passwd, '\n'));
    const auto uid = ParseId(fields[2]);
    const auto gid = ParseId(fields[3]);
    if (!uid || !gid || fields[0].empty()) continue;  // A comment, or damaged.
    const PasswdEntry entry{fields[0], *uid, *gid, fields[5]};
    if (matches(entry)) return entry;
  }
  return std::nullopt;
}

std::optional<uint32_t> FindGroup(std::string_view group, std::string_view name) {
  while (!group.empty()) {
    const auto fields = Fields<4>(CutField(&group, '\n'));
    if (fields[0] != name) continue;
    if (const auto gid = ParseId(fields[2])) return gid;
  }
  return std::nullopt;
}

std::vector<gid_t> GroupsOfMember(std::string_view group, std::string_view user) {
  std::vector<gid_t> gids;
  while (!group.empty()) {
    const auto fields = Fields<4>(CutField(&group, '\n'));
    const auto gid = ParseId(fields[2]);
    std::string_view members = fields[3];
    while (gid && !members.empty()) {
      if (CutField(&members, ',') == user) gids.push_back(*gid);
    }
  }
  return gids;
}

// Why a word is neither a name of the file nor an id.
Outcome NotFound(std::string_view file, std::string_view kind, std::string_view word) {
  std::string message =
      "the container's " + std::string(file) + " has no " + std::string(kind) + " \"" + std::string(word) + "\"";
  if (!word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos) {
    message += ", and as a number it is too large: ids go up to " + std::to_string(kMaxId);
  }
  return Outcome(ErrorCode::ERROR_CODE_USER_NOT_FOUND, message);
}

OutcomeOr<gid_t> ResolveGroup(std::string_view name, std::string_view group) {
  if (const auto gid = FindGroup(group, name)) return *gid;
  if (const auto gid = ParseId(name)) return *gid;
  return NotFound("/etc/group", "group", name);
}

}  // namespace

OutcomeOr<Identity> ResolveIdentity(const UserRequest& request, std::string_view passwd, std::string_view group) {
  std::string_view group_name = request.user;
  const std::string_view user = CutField(&group_name, ':');
  if (!request.primary_group.empty()) group_name = request.primary_group;

  Identity identity;
  auto entry = FindUser(passwd, [user](const PasswdEntry& e) { return e.name == user; });
  if (!entry) {
    const auto uid = user.empty() ? 0 : ParseId(user);
    if (!uid) return NotFound("/etc/passwd", "user", user);
    identity.uid = *uid;
    entry = FindUser(passwd, [uid](const PasswdEntry& e) { return e.uid == *uid; });
  }
  if (entry) {
    identity.uid = entry->uid;
    identity.gid = entry->gid;
    if (!entry->home.empty()) identity.home = entry->home;
    if (group_name.empty()) identity.groups = GroupsOfMember(group, entry->name);
  }
  if (!group_name.empty()) {
    auto gid = ResolveGroup(group_name, group);
    if (!gid.ok()) return gid.outcome();
    identity.gid = *gid;
  }
  for (const std::string& name : request.supplementary_groups) {
    auto gid = ResolveGroup(name, group);
    if (!gid.ok()) return gid.outcome();
    identity.groups.push_back(*gid);
  }
  std::sort(identity.groups.begin(), identity.groups.end());
  identity.groups.erase(std::unique(identity.groups.begin(), identity.groups.end()), identity.groups.end());
  return identity;
}

std::string UserName(uid_t uid, std::string_view passwd) {
  const auto entry = FindUser(passwd, [uid](const PasswdEntry& e) { return e.uid == uid; });
  return entry ? std::string(entry->name) : std::to_string(uid);
}

}  // namespace vcd::guest
