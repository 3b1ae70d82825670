// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_USERS_H_
#define VCD_GUEST_AGENT_USERS_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "guest/agent/outcome.h"

// Who a process runs as, out of the container's own /etc/passwd and /etc/group. Parsed here and not by the C library,
// which in a static binary would load the guest's name service modules, of which there are none.
namespace vcd::guest {

// As Command says it: each a name or a number, everything optional.
struct UserRequest {
  std::string user;  // "", "name", "12", "name:group" …
  std::string primary_group;
  std::vector<std::string> supplementary_groups;
};

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // Supplementary, sorted, each once.
  std::string home = "/";
};

// Resolves `request` against the text of the two files; either may be empty. A name wins over a number, should a user
// be named "12". An unknown name is ERROR_CODE_USER_NOT_FOUND; an unknown number is fine, with group 0 and home "/".
// Groups that list the user as a member are added unless the request names a primary group.
OutcomeOr<Identity> ResolveIdentity(const UserRequest& request, std::string_view passwd, std::string_view group);

// The name of `uid` in the text of a passwd file; the number when it has none.
std::string UserName(uid_t uid, std::string_view passwd);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_USERS_H_
