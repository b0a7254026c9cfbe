// Room for what a user's function reads and writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace deltarule {

// A thread keeps the room from call to call. While a call has it, a call inside it (a user's function may run
// another network) finds none and makes its own.
template <class T>
class LentBuffer {
 public:
  explicit LentBuffer(std::size_t count) : own_(std::exchange(kept(), {})), count_(count) {
    if (own_.size() < count) own_.resize(count);
  }
  ~LentBuffer() {
    if (own_.size() > kept().size()) kept() = std::move(own_);
  }
  LentBuffer(const LentBuffer&) = delete;
  LentBuffer& operator=(const LentBuffer&) = delete;

  std::span<T> span() { return std::span(own_).first(count_); }

 private:
  static std::vector<T>& kept() {
    thread_local std::vector<T> room;
    return room;
  }
  std::vector<T> own_;
  std::size_t count_;
};

}  // namespace deltarule
