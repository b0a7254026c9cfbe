// How large the processor's caches are. It decides what is copied and what is fetched when; never what is
// computed.
#pragma once

#include <cstddef>

namespace deltarule::engine {

// Bytes of a core's own cache; 1 MB where the system does not say.
extern const std::size_t second_cache;

// More bytes than the caches of a program can be counted on to keep: they come from memory every time.
inline constexpr std::size_t beyond_caches = std::size_t{16} << 20;

// Where data come from that are gone through again and again: the core's own cache, where they leave half of
// it to other things; a cache; memory.
enum class Home { core, caches, memory };
inline Home home_of(std::size_t bytes) {
  return bytes > beyond_caches ? Home::memory : bytes > second_cache / 2 ? Home::caches : Home::core;
}

}  // namespace deltarule::engine
