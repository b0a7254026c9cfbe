#include "team_size.h"

#include <algorithm>
#include <limits>

namespace deltarule::engine {

void TeamSize::limit(int threads) {
  if (threads == most_) return;
  most_ = settled_ = threads;
  timing_ = up_ = false;
  until_ = {};
  length_ = shortest;
}

int TeamSize::threads(Clock::time_point now) {
  if (!timing_ && most_ > 1 && now >= until_) compare(neighbour());
  return timing_ && block_ % 2 == 1 ? other_ : settled_;
}

// Half as many, or where that was tried last, twice as many.
int TeamSize::neighbour() const {
  const bool up = settled_ == 1 || (up_ && settled_ < most_);
  return up ? std::min(2 * settled_, most_) : settled_ / 2;
}

void TeamSize::compare(int other) {
  other_ = other;
  timing_ = true;
  block_ = 0;
  best_.fill(std::numeric_limits<double>::infinity());
  begin_block();
}

void TeamSize::begin_block() {
  steps_ = 0;
  time_ = warm_ = {};
}

void TeamSize::passed(int steps, Clock::duration time, Clock::time_point now) {
  if (!timing_ || steps <= 0) return;
  if (warm_ < warm_up) {
    warm_ += time;
    return;
  }
  steps_ += steps;
  time_ += time;
  if (time_ < block) return;
  double& best = best_[static_cast<std::size_t>(block_ % 2)];
  best = std::min(best, std::chrono::duration<double>(time_).count() / steps_);
  begin_block();
  if (++block_ == 2 * blocks) decide(now);
}

void TeamSize::decide(Clock::time_point now) {
  timing_ = false;
  const bool up = other_ > settled_;
  // Fewer threads are better where they are as fast: the others are free.
  if (best_[1] < best_[0] * (up ? 0.97 : 1.0)) {
    settled_ = other_;
    up_ = up;
    length_ = shortest;
    const bool further = up ? settled_ < most_ : settled_ > 1;
    if (further) return compare(neighbour());
  } else {
    up_ = !up;
    length_ = std::min<Clock::duration>(2 * length_, longest);
  }
  until_ = now + length_;
}

}  // namespace deltarule::engine
