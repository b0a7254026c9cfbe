#include "writer.h"

#include <deltarule/activations/limits.h>
#include <deltarule/custom.h>
#include <deltarule/row_op_kernel.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>

namespace deltarule {
namespace {

constexpr std::string_view math_functions[] = {"copysign", "cos",   "erfc",      "exp", "expm1", "fabs",
                                               "fma",      "log1p", "nearbyint", "sin", "sqrt",  "tanh"};

// What activations and layers share.
struct Helper {
  std::string_view name, head, body;
};
constexpr Helper helpers[] = {
    {"exp_minus", "real exp_minus(real a, real a_low, real x)",
     "/* e^-|(a + a_low) x|, with the digits that the product has beyond the type */\n"
     "const real z = a * x, e = exp(-fabs(z));\n"
     "real rest;\n"
     "if (a == 1 || !(fabs(z) < 800)) return e;\n"
     "rest = fma(a, x, -z) + a_low * x;\n"
     "return z < 0 ? e * (1 + rest) : e * (1 - rest);"},
    {"logistic", "real logistic(real z, real rest)",
     "/* 1 / (1 + e^-(z + rest)), for a small rest */\n"
     "const real e = exp(-fabs(z)) * (z < 0 ? 1 + rest : 1 - rest);\n"
     "return (z < 0 ? e : 1) / (1 + e);"},
    {"normal_cdf", "real normal_cdf(real x)",
     "/* erfc(-x / sqrt 2) / 2; its slope takes care of what rounding the argument lost */\n"
     "const real c = {0.7071067811865476-4.833646656726457e-17};\n"
     "const real c_low = {0.7071067811865476-4.833646656726457e-17.low};\n"
     "const real z = -c * x, value = erfc(z) * 0.5;\n"
     "if (x > -1) return value;\n"
     "return value + (fma(c, x, z) + c_low * x) * exp(-z * z) * 0.5641895835477563;"},
};

// The shortest text that reads back as this number, with a point or an exponent.
std::string text_of(double x, bool single) {
  char text[64];
  const auto end = single ? std::to_chars(text, text + sizeof(text), static_cast<float>(x)).ptr
                          : std::to_chars(text, text + sizeof(text), x).ptr;
  std::string out(text, end);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Of "{slope.low}" or "{1.702}" at the beginning of a text, as opposed to a block or to the list {0}; else 0.
std::size_t placeholder_length(std::string_view text) {
  const std::size_t end = text.find_first_of("} ;,\n", 1);
  if (text[0] != '{' || end == std::string_view::npos || text[end] != '}') return 0;
  const bool whole = text.substr(1, end - 1).find_first_not_of("0123456789") == std::string_view::npos;
  return whole ? 0 : end + 1;
}

double rounded(double x, bool single) { return single ? static_cast<double>(static_cast<float>(x)) : x; }

std::string identifier(std::string_view text) {
  std::string name;
  for (const char c : text)
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<signed char>(c) > 0 ? c : '_';
  return name;
}

// The text of the choice that was made: what stands behind "@choice " up to the next "@".
std::string_view chosen_text(const Entry& entry, const Values& values) {
  if (!entry.c.starts_with("@")) return entry.c;
  for (std::size_t i = 0; i < entry.parameters.size(); ++i) {
    const Param& p = entry.parameters[i];
    if (p.kind != Kind::choice) continue;
    std::string_view choices = p.choices;
    for (int n = static_cast<int>(values[i]); n > 0; --n) choices.remove_prefix(choices.find('|') + 1);
    const std::string mark = "@" + std::string(choices.substr(0, choices.find('|'))) + " ";
    const std::size_t begin = entry.c.find(mark);
    if (begin == std::string_view::npos) break;
    const std::string_view text = entry.c.substr(begin + mark.size());
    return text.substr(0, text.find("\n@"));
  }
  throw std::logic_error("export_c: no C text for this choice of " + std::string(entry.name));
}

std::string indented(std::string_view text) {
  std::string out = "  ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

// Not from_chars, which libc++ has for whole numbers only, nor strtod, which follows the locale.
double value_in(std::string_view text) {
  std::istringstream in{std::string(text)};
  in.imbue(std::locale::classic());
  double value = 0;
  in >> value;
  return value;
}

}  // namespace

CWriter::CWriter(std::string prefix, bool single, std::ptrdiff_t inputs,
                 std::map<std::string, std::vector<double>> arrays)
    : prefix_(std::move(prefix)), single_(single), arrays_(std::move(arrays)) {
  values_.push_back({"input", inputs, true});
  names_ = {"input", "output", "work"};
}

std::string CWriter::unique(const std::string& name) {
  std::string made = name;
  for (int n = 2; !names_.insert(made).second; ++n) made = name + "_" + std::to_string(n);
  return made;
}

int CWriter::new_value(std::ptrdiff_t width) {
  const std::string path = identifier(path_);
  values_.push_back({unique("y_" + path.substr(0, path.empty() ? 0 : path.size() - 1)), width});
  return static_cast<int>(values_.size()) - 1;
}

int CWriter::target(int value) {
  return values_[static_cast<std::size_t>(value)].shared ? new_value(width(value)) : value;
}

void CWriter::lower(const Layer& inner) {
  const std::size_t outer = path_.size();
  path_ += inner.name() + ".";
  inner.to_c(*this);
  path_.resize(outer);
}

const std::vector<double>& CWriter::array(const std::string& name) const { return arrays_.at(path_ + name); }

std::string CWriter::number(double x) const { return text_of(x, single_) + (single_ ? "f" : ""); }

std::string CWriter::define_array(const std::string& name, const std::vector<double>& numbers) const {
  std::string text =
      "static const " + std::string(type()) + " " + name + "[" + std::to_string(numbers.size()) + "] = {";
  for (std::size_t i = 0; i < numbers.size(); ++i)
    text += (i % 8 == 0 ? "\n  " : " ") + number(numbers[i]) + (i + 1 < numbers.size() ? "," : "");
  return text + "\n};\n";
}

std::string CWriter::constant(const std::string& name, const std::vector<double>& numbers) {
  for (const double x : numbers)
    if (!std::isfinite(rounded(x, single_)))
      throw std::invalid_argument("export_c: array '" + path_ + name +
                                  "' holds a number that is not finite; allowed: finite numbers");
  const std::string made = unique(prefix_ + "_" + identifier(path_ + name));
  parts_.constants += define_array(made, numbers);
  parts_.arrays.push_back(made);
  parts_.constant_bytes += static_cast<std::ptrdiff_t>(numbers.size() * (single_ ? 4 : 8));
  return made;
}

std::string CWriter::indices(const std::string& name, const std::vector<std::ptrdiff_t>& numbers) {
  const std::ptrdiff_t most = *std::max_element(numbers.begin(), numbers.end());
  const bool small = most < 65536;
  const std::string made = unique(prefix_ + "_" + identifier(path_ + name));
  function("gather_" + std::string(small ? "16" : "32"),
           "void gather_" + std::string(small ? "16" : "32") + "(size_t n, const uint" +
               (small ? "16" : "32") + "_t *columns, const real *x, real *y)",
           "size_t i;\nfor (i = 0; i < n; ++i) y[i] = x[columns[i]];");
  std::string text = "static const uint" + std::string(small ? "16" : "32") + "_t " + made + "[" +
                     std::to_string(numbers.size()) + "] = {";
  for (std::size_t i = 0; i < numbers.size(); ++i)
    text += (i % 16 == 0 ? "\n  " : " ") + std::to_string(numbers[i]) + (i + 1 < numbers.size() ? "," : "");
  parts_.constants += text + "\n};\n";
  parts_.arrays.push_back(made);
  parts_.constant_bytes += static_cast<std::ptrdiff_t>(numbers.size()) * (small ? 2 : 4);
  return made;
}

std::string CWriter::placeholder(std::string_view text, const Entry* entry, const Values& values) const {
  double value = 0, more = 0;
  std::string_view name = text, form;
  for (const std::string_view end : {".low", ".floor"})
    if (text.ends_with(end)) form = end, name = text.substr(0, text.size() - end.size());
  if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) {
    std::size_t sign = name.find_first_of("+-");
    while (sign != name.npos && name[sign - 1] == 'e') sign = name.find_first_of("+-", sign + 1);
    value = value_in(name.substr(0, sign));
    if (sign != name.npos) more = value_in(name.substr(sign));
  } else {
    const auto at = std::find_if(entry->parameters.begin(), entry->parameters.end(),
                                 [&](const Param& p) { return p.name == name; });
    value = values[static_cast<std::size_t>(at - entry->parameters.begin())];
  }
  const double near = rounded(value, single_);
  if (!std::isfinite(near) || (single_ && value != 0 && std::fabs(near) < 1.17549435e-38))
    throw std::invalid_argument("export_c: " + std::string(entry->name) + ": " + std::string(name) + " = " +
                                text_of(value, false) +
                                " is beyond float32; allowed: 1.2e-38 to 3.4e+38, or a float64 network");
  if (form == ".low") return number((value - near) + more);
  if (form == ".floor")
    return number(single_ ? static_cast<double>(activations::at_most<float>(value)) : value);
  return number(value);
}

// `real`, the functions' names and the numbers in terms of the type and the prefix.
std::string CWriter::translated(std::string_view text, const Entry* entry, const Values& values) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t end = i + 1;
    if (text.substr(i).starts_with("/*")) {
      end = text.find("*/", i) + 2;
      out += text.substr(i, end - i);
    } else if (const std::size_t length = placeholder_length(text.substr(i)); length > 0) {
      end = i + length;
      out += placeholder(text.substr(i + 1, length - 2), entry, values);
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      while (end < text.size() && (is_name(text[end]) || text[end] == '.' ||
                                   ((text[end] == '-' || text[end] == '+') && text[end - 1] == 'e')))
        ++end;
      const std::string_view given = text.substr(i, end - i);
      out +=
          given.find_first_of(".e") == std::string_view::npos ? std::string(given) : number(value_in(given));
    } else if (is_name(c)) {
      while (end < text.size() && is_name(text[end])) ++end;
      const std::string name(text.substr(i, end - i));
      const bool called = end < text.size() && text[end] == '(';
      if (name == "real")
        out += type();
      else if (!called)
        out += name;
      else if (std::find(std::begin(math_functions), std::end(math_functions), name) !=
               std::end(math_functions))
        out += single_ ? name + "f" : name;
      else if (functions_.contains(name))
        out += prefix_ + "_" + name;
      else if (std::any_of(std::begin(helpers), std::end(helpers),
                           [&](const Helper& h) { return h.name == name; })) {
        need(name);
        out += prefix_ + "_" + name;
      } else if (entry != nullptr && catalog::known(Family::activation, name))
        out += activation_function(catalog::choose(Family::activation, {name, {}}));
      else
        out += name;
    } else {
      out += c;
    }
    i = end;
  }
  return out;
}

void CWriter::need(const std::string& name) {
  for (const Helper& h : helpers)
    if (h.name == name) function(name, std::string(h.head), h.body);
}

void CWriter::function(const std::string& name, const std::string& head, std::string_view body) {
  if (!functions_.insert(name).second) return;
  const std::string inside = translated(body, nullptr, {});  // adds the functions that it calls first
  parts_.functions +=
      "static inline " + translated(head, nullptr, {}) + " {\n" + indented(inside) + "\n}\n\n";
}

std::string CWriter::activation_function(const Choice& choice) {
  const Entry& entry = *choice.entry;
  std::string key(entry.name);
  for (std::size_t i = 0; i < entry.parameters.size(); ++i) key += " " + text_of(choice.values[i], false);
  if (const auto made = activations_.find(key); made != activations_.end()) return made->second;
  const bool rows = choice.family == Family::row_op;
  const std::string body = translated(chosen_text(entry, choice.values), &entry, choice.values);
  const std::string name = unique(prefix_ + "_f_" + std::string(entry.name));
  parts_.functions += "static inline ";
  if (rows)
    parts_.functions += "void " + name + "(size_t n, const " + type() + " *x, " + type() + " *y)";
  else
    parts_.functions += std::string(type()) + " " + name + "(" + type() + " x)";
  parts_.functions += " {\n" + indented(body) + "\n}\n\n";
  return activations_[key] = name;
}

void CWriter::call(const std::string& name, const std::string& arguments, int from, int to) {
  const auto now = static_cast<std::ptrdiff_t>(statements_.size());
  for (const int v : {from, to}) {
    Value& value = values_[static_cast<std::size_t>(v)];
    if (value.first < 0) value.first = now;
    value.last = now;
  }
  const std::string whole = functions_.contains(name) ? prefix_ + "_" + name : name;
  statements_.push_back({whole + "(" + arguments, from, to});
}

int CWriter::activation(const Choice& choice, int value) {
  if (choice.index < 0 || choice.entry->name == "identity") return value;
  const Entry& entry = *choice.entry;
  if (custom::is_custom(choice.index))
    throw std::invalid_argument("export_c: activation '" + std::string(entry.name) +
                                "' is not of the catalogue and cannot be written as C; allowed: the "
                                "catalogue's activations");
  const std::string name = activation_function(choice);
  const std::string n = std::to_string(width(value));
  if (choice.family == Family::row_op) {
    const auto inputs = row_op_kernel<float>(choice.index).inputs_per_output;
    const int to =
        inputs == 1 ? target(value) : new_value(width(value) / static_cast<std::ptrdiff_t>(inputs));
    call(name, n + ", ", value, to);
    evaluates(std::string(entry.name) + " of " + n + " numbers", 1);
    return to;
  }
  const std::string each = "each" + name.substr(prefix_.size() + 2);
  if (functions_.insert(each).second)
    parts_.functions += "static inline void " + prefix_ + "_" + each + "(size_t n, const " + type() +
                        " *x, " + type() + " *y) {\n  size_t i;\n  for (i = 0; i < n; ++i) y[i] = " + name +
                        "(x[i]);\n}\n\n";
  const int to = target(value);
  call(each, n + ", ", value, to);
  evaluates(std::string(entry.name), width(value));
  return to;
}

// Places in the working memory: the lowest that no value alive at the same time has.
std::ptrdiff_t CWriter::place_values(int result) {
  std::ptrdiff_t size = 0;
  std::vector<Value*> placed;
  for (std::size_t i = 1; i < values_.size(); ++i) {
    Value& v = values_[i];
    if (static_cast<int>(i) == result || v.first < 0) continue;
    std::vector<const Value*> beside;
    for (const Value* other : placed)
      if (other->first <= v.last && v.first <= other->last) beside.push_back(other);
    std::sort(beside.begin(), beside.end(),
              [](const Value* a, const Value* b) { return a->place < b->place; });
    for (const Value* other : beside)
      if (v.place + v.width > other->place) v.place = std::max(v.place, other->place + other->width);
    placed.push_back(&v);
    size = std::max(size, v.place + v.width);
  }
  return size;
}

CWriter::Parts CWriter::finish(std::ptrdiff_t outputs) {
  if (values_[static_cast<std::size_t>(input)].shared) {  // the network's input, or what a block read
    const int result = new_value(outputs);
    function("copy", "void copy(size_t n, const real *x, real *y)",
             "size_t i;\nfor (i = 0; i < n; ++i) y[i] = x[i];");
    call("copy", std::to_string(outputs) + ", ", input, result);
    input = result;
  }
  parts_.work = place_values(input);
  values_[static_cast<std::size_t>(input)].name = "output";
  for (std::size_t i = 1; i < values_.size(); ++i) {
    const Value& v = values_[i];
    if (static_cast<int>(i) != input && v.first >= 0)
      parts_.run += "  " + std::string(type()) + " *const " + v.name + " = work + " +
                    std::to_string(v.place) + ";  /* " + std::to_string(v.width) + " */\n";
  }
  if (parts_.work == 0) parts_.run += "  (void)work;\n";
  for (const Statement& s : statements_)
    parts_.run += "  " + s.text + values_[static_cast<std::size_t>(s.from)].name + ", " +
                  values_[static_cast<std::size_t>(s.to)].name + ");\n";
  parts_.evaluations = evaluations_;
  return std::move(parts_);
}

}  // namespace deltarule
