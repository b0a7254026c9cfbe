// What the operations of several layers share.
#pragma once

#include <deltarule/layer.h>
#include <algorithm>

namespace deltarule::engine {

// Rows from `begin` on.
template <class T>
View<const T> rows_of(View<T> v, std::ptrdiff_t begin) {
  return {v.at(begin), v.row};
}

inline Tensor vector_tensor(std::string name, std::ptrdiff_t width, Role role, std::string_view initializer,
                            Allowed allowed = Allowed::any) {
  return {.name = std::move(name),
          .rows = 1,
          .columns = width,
          .vector = true,
          .role = role,
          .allowed = allowed,
          .initializer = catalog::choose(Family::initializer, {std::string(initializer)})};
}

}  // namespace deltarule::engine
