// Numbers and texts of others in messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace deltarule {

// As short as it can be read back, with a decimal point whatever the locale of the program.
std::string number(double value);
// The beginning, in ASCII.
std::string excerpt(std::string_view text, std::size_t most = 60);

}  // namespace deltarule
