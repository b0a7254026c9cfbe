// How many threads small steps pay for. What threads have to hand each other costs a few microseconds on one
// machine and more than it gains on another: so steps are timed with one number of threads and with another.
#pragma once

#include <array>
#include <chrono>

namespace deltarule::engine {

class TeamSize {
 public:
  using Clock = std::chrono::steady_clock;
  // Between changes some time goes by that does not count: threads have to wake up, and caches to fill.
  static constexpr std::chrono::microseconds warm_up{150}, block{300};
  static constexpr int blocks = 4;  // of each number; the fastest counts
  static constexpr std::chrono::milliseconds shortest{50}, longest{400};

  // At most so many threads; a new number begins anew.
  void limit(int threads);
  // How many threads should work now.
  int threads(Clock::time_point now);
  // Whether times are wanted.
  bool timing() const { return timing_; }
  // So many steps took this long.
  void passed(int steps, Clock::duration time, Clock::time_point now);

 private:
  void compare(int other);
  void begin_block();
  void decide(Clock::time_point now);
  int neighbour() const;

  int most_ = 1, settled_ = 1, other_ = 1;
  bool timing_ = false, up_ = false;
  Clock::time_point until_{};
  Clock::duration length_ = shortest;
  // The block under way.
  int block_ = 0, steps_ = 0;
  Clock::duration warm_{}, time_{};
  std::array<double, 2> best_{};  // seconds a step: settled, other
};

}  // namespace deltarule::engine
