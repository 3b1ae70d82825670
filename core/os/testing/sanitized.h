// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_SANITIZED_H_
#define VCD_CORE_OS_TESTING_SANITIZED_H_

namespace vcd {

#if defined(__has_feature)
#define VCD_HAS_FEATURE(feature) __has_feature(feature)
#else
#define VCD_HAS_FEATURE(feature) 0
#endif

// Whether ThreadSanitizer is in this program: it gives each child a thread of its own, so that none can enter a user
// namespace.
#if defined(__SANITIZE_THREAD__) || VCD_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitized = true;
#else
inline constexpr bool kThreadSanitized = false;
#endif

// Whether it is, or AddressSanitizer, whose shadow memory makes figures of memory meaningless.
#if defined(__SANITIZE_ADDRESS__) || VCD_HAS_FEATURE(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = kThreadSanitized;
#endif
#undef VCD_HAS_FEATURE

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_SANITIZED_H_
