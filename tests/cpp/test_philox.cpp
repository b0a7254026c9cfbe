// The random numbers: published vectors, streams that differ, draws without bias.
#include <deltarule/engine/philox.h>
#include <doctest/doctest.h>
#include <cmath>

#include <set>
#include <vector>

using namespace deltarule::engine;
using Words = std::array<std::uint32_t, 4>;

TEST_CASE("philox 4x32-10 gives the published vectors") {
  // Random123 1.14, kat_vectors
  CHECK(philox({0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff}, ~0ull, ~0ull) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0xa4093822, 0x299f31d0}, 0x0370734413198a2eull, 0x85a308d3243f6a88ull) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("neighbouring seeds, streams and layers have keys of their own") {
  std::set<std::pair<std::uint32_t, std::uint32_t>> keys;
  int made = 0;
  for (std::uint64_t seed : {0ull, 1ull, 2ull, 255ull, 256ull, 1ull << 32, ~0ull})
    for (auto stream : {Stream::initialize, Stream::shuffle, Stream::dropout, Stream::noise, Stream::mixup})
      for (std::uint32_t layer = 0; layer < 300; ++layer, ++made) {
        const PhiloxKey key = philox_key(seed, stream, layer);
        keys.insert({key.low, key.high});
      }
  CHECK(keys.size() == static_cast<std::size_t>(made));
}

TEST_CASE("a sequence is the words of consecutive blocks") {
  const PhiloxKey key = philox_key(7, Stream::shuffle, 0);
  PhiloxSequence sequence(key, 3);
  for (std::uint64_t block = 0; block < 5; ++block)
    for (const std::uint32_t word : philox(key, 3, block)) CHECK(sequence.next() == word);
}

TEST_CASE("below(n) is on 0 .. n-1 and even") {
  PhiloxSequence sequence(philox_key(1, Stream::shuffle, 0), 0);
  for (const std::uint32_t n : {1u, 2u, 3u, 10u}) {
    std::vector<int> counts(n);
    const int draws = 60000;
    for (int i = 0; i < draws; ++i) {
      const std::uint32_t x = sequence.below(n);
      REQUIRE(x < n);
      ++counts[x];
    }
    for (const int count : counts) CHECK(std::abs(count - draws / static_cast<int>(n)) < 500);
  }
  // 3/4 of all draws would be rejected by a careless method; here a third of the range each
  const std::uint32_t large = 3u << 30;
  int low = 0;
  for (int i = 0; i < 30000; ++i) {
    const std::uint32_t x = sequence.below(large);
    REQUIRE(x < large);
    low += x < (1u << 30);
  }
  CHECK(std::abs(low - 10000) < 400);
}

TEST_CASE("words are even in every bit") {
  const PhiloxKey key = philox_key(0, Stream::dropout, 1);
  int ones[32] = {};
  const int blocks = 20000;
  for (std::uint64_t i = 0; i < blocks; ++i)
    for (const std::uint32_t word : philox(key, 0, i))
      for (int bit = 0; bit < 32; ++bit) ones[bit] += word >> bit & 1;
  for (const int count : ones) CHECK(std::abs(count - 2 * blocks) < 700);  // five standard deviations
}
