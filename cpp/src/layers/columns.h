// Rows of which some columns pass through and others become blocks of columns.
#pragma once

#include "common.h"

namespace deltarule::engine {

// Columns below `width` that are not among `chosen`, in order. Kept as runs: a file may claim any width.
class OtherColumns {
 public:
  OtherColumns(std::ptrdiff_t width, std::vector<std::ptrdiff_t> chosen) {
    std::sort(chosen.begin(), chosen.end());
    chosen.push_back(width);
    std::ptrdiff_t next = 0;
    for (const std::ptrdiff_t column : chosen) {
      if (column > next) runs_.push_back({next, column - next});
      size_ += std::max<std::ptrdiff_t>(0, column - next);
      next = column + 1;
    }
  }
  std::ptrdiff_t size() const { return size_; }
  // Those columns of a row, side by side.
  template <class T>
  void take(const T* row, T* to) const {
    for (const Run& run : runs_) to = std::copy_n(row + run.first, run.count, to);
  }
  // The way back: leaves the chosen columns of the row alone.
  template <class T>
  void put(const T* from, T* row) const {
    for (const Run& run : runs_) {
      std::copy_n(from, run.count, row + run.first);
      from += run.count;
    }
  }
  std::vector<std::ptrdiff_t> list() const {
    std::vector<std::ptrdiff_t> columns;
    for (const Run& run : runs_)
      for (std::ptrdiff_t j = 0; j < run.count; ++j) columns.push_back(run.first + j);
    return columns;
  }

 private:
  struct Run {
    std::ptrdiff_t first, count;
  };
  std::vector<Run> runs_;
  std::ptrdiff_t size_ = 0;
};

// Throws std::invalid_argument for a column that does not exist or stands there twice.
inline void check_columns(std::string_view layer, std::ptrdiff_t width,
                          const std::vector<std::ptrdiff_t>& chosen) {
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] >= width)
      throw std::invalid_argument(std::string(layer) + ": columns holds " + std::to_string(chosen[i]) +
                                  ", but the input has " + std::to_string(width) +
                                  " columns; allowed: 0 to " + std::to_string(width - 1));
    if (std::find(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(i), chosen[i]) !=
        chosen.begin() + static_cast<std::ptrdiff_t>(i))
      throw std::invalid_argument(std::string(layer) + ": columns holds " + std::to_string(chosen[i]) +
                                  " twice; every column can be replaced once");
  }
}

}  // namespace deltarule::engine
