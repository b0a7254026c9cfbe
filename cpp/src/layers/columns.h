// Rows of which some columns pass through and others become blocks of columns.
#pragma once

#include "common.h"

namespace deltarule::engine {

// Columns below `width` that are not among `chosen`, in order.
inline std::vector<std::ptrdiff_t> other_columns(std::ptrdiff_t width,
                                                 const std::vector<std::ptrdiff_t>& chosen) {
  std::vector<std::ptrdiff_t> others;
  for (std::ptrdiff_t j = 0; j < width; ++j)
    if (std::find(chosen.begin(), chosen.end(), j) == chosen.end()) others.push_back(j);
  return others;
}

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
