#include "message_text.h"

#include <deltarule/option_checks.h>
#include <deltarule/serialize.h>

#include <algorithm>
#include <cmath>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace deltarule {
namespace {

constexpr std::size_t longest_message = 2000;

}  // namespace

std::string number(double value) {
  std::stringstream brief;
  brief.imbue(std::locale::classic());
  brief << value;
  double read = 0;
  if (brief >> read; read == value || !std::isfinite(value)) return brief.str();
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(17);
  out << value;
  return out.str();
}

void check_option(const char* owner, const char* option, double value, double below) {
  if (value >= 0 && (value < below || std::isinf(below))) return;
  throw std::invalid_argument(std::string(owner) + ": " + option + " = " + number(value) +
                              " is not allowed; allowed: 0 or more" +
                              (std::isfinite(below) ? ", less than " + number(below) : ""));
}

FormatError::FormatError(const std::string& text)
    : Error(text.size() <= longest_message ? text : excerpt(text, longest_message)) {}

std::string excerpt(std::string_view text, std::size_t most) {
  std::string shown(text.substr(0, most));
  std::ranges::replace_if(shown, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return text.size() > most ? shown + "..." : shown;
}

}  // namespace deltarule
