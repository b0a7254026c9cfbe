// Memory of the engine: zeroed, 64-byte aligned, with slack for loads past the end.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace deltarule::engine {

inline constexpr std::size_t alignment = 64;  // bytes: a cache line and the widest register

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    const std::size_t bytes = (size * sizeof(T) + 2 * alignment - 1) / alignment * alignment;
    data_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t{alignment})));
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  Buffer(const Buffer& other) : Buffer(other.size_) {
    if (size_ > 0) std::memcpy(data_.get(), other.data_.get(), size_ * sizeof(T));
  }
  Buffer& operator=(const Buffer& other) {
    if (this != &other) *this = Buffer(other);
    return *this;
  }
  Buffer(Buffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{alignment}); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

// Rows of a matrix in the arena are this far apart: whole cache lines, and never a multiple of 1 KB, which
// would put all rows into the same few sets of the cache.
template <class T>
constexpr std::ptrdiff_t padded(std::ptrdiff_t columns) {
  constexpr std::ptrdiff_t line = alignment / sizeof(T);
  if (columns <= 2) return columns;
  const std::ptrdiff_t row = (columns + line - 1) / line * line;
  return row % (16 * line) == 0 ? row + line : row;
}

}  // namespace deltarule::engine
