// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_SANITIZED_H_
#define VCD_CORE_OS_TESTING_SANITIZED_H_

namespace vcd {

// Whether AddressSanitizer or ThreadSanitizer is in this program, whose shadow memory makes figures of memory
// meaningless.
inline constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif
#else
    false;
#endif

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_SANITIZED_H_
