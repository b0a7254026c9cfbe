#include <deltarule/engine/cache.h>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace deltarule::engine {

const std::size_t second_cache = [] {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  if (const long found = sysconf(_SC_LEVEL2_CACHE_SIZE); found > 0) return static_cast<std::size_t>(found);
#endif
  return std::size_t{1} << 20;
}();

}  // namespace deltarule::engine
