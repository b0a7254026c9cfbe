// The vocabulary of every declaration: an Entry describes one activation, loss, optimizer, schedule,
// initializer, metric or layer; a List of structs is the only place that says which ones exist.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deltarule {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Whole numbers up to this are what a double, and so every reader of JSON, holds exactly.
inline constexpr std::int64_t largest_whole = std::int64_t{1} << 53;

enum class Kind { real, integer, boolean, choice, real_list, integer_list };

constexpr bool is_list(Kind kind) { return kind == Kind::real_list || kind == Kind::integer_list; }

// One hyper-parameter. A boolean is 0 or 1, a choice the index into `choices` ("none|tanh"); the range of a
// list holds for each of its numbers.
struct Param {
  std::string_view name;
  double value = 0;  // the default
  double low = -infinity;
  double high = infinity;
  bool low_open = false;   // low itself is not allowed
  bool high_open = false;  // high itself is not allowed
  Kind kind = Kind::real;
  std::string_view choices = {};
  std::string_view meaning = {};
  std::span<const double> list = {};         // the default of a list
  std::size_t shortest = 0, longest = 1024;  // numbers in a list
};

// What a backward kernel reads besides the incoming gradient.
enum class Reads { nothing, input, output, both };

// What a loss compares the prediction with.
enum class Target { values, label, label_or_distribution };

// What the step of one weight looks at beside the weight and its gradient.
enum class Reach { element, tensor, layer, network };

enum class Family { activation, row_op, loss, optimizer, initializer, schedule, metric, layer };

// A choice from another family that belongs to an entry, as the activation of a dense layer.
struct Part {
  std::string_view name;
  Family family = Family::activation;
  std::string_view value{};  // the default's name; empty for none
  std::string_view meaning{};
};

// The layers inside a layer, and the argument that takes them: one, a list, or a list of lists.
enum class Inside { nothing, layer, layers, branches };

struct Inner {
  Inside kind = Inside::nothing;
  std::string_view name{};
  std::string_view meaning{};
};

// What export_c writes. `c` is the body of a C function: of x, giving f(x); of a row operation it reads n
// numbers at x and writes y. `real` is the type, {name} a parameter, {name.low} what rounding took from it,
// {name.floor} the largest number of the type that is not above it; {1.702} a number likewise. Functions of
// math.h are called by their names for double, other activations by theirs. "@tanh" begins the text for that
// choice. What is compared with a parameter, or used beside its low part, is first put into a variable:
// machines may hold constants with more digits than the type.
struct Entry {
  std::string_view name;          // the catalogue's key, as in loss="mse"
  std::string_view class_name{};  // the Python class, where there is one
  std::string_view aliases{};     // "silu|other"
  std::string_view summary{};
  std::string_view formula{};     // LaTeX
  std::string_view derivative{};  // LaTeX
  std::string_view c{};           // activations: the value in C, see above
  std::span<const Param> parameters{};
  std::span<const Part> parts{};               // layers
  Inner inner{};                               // layers
  std::span<const std::string_view> states{};  // optimizers: arrays kept beside the parameters
  Reach reach = Reach::element;                // optimizers
  Reads reads = Reads::both;                   // activations: what backward needs
  Target target = Target::values;              // losses
  std::span<const double> kinks{};             // where the derivative jumps (default parameters)
  double max_ulp = 4;                          // accuracy promise, elementwise, float32
  double target_low = -infinity;               // losses: legal targets
  double target_high = infinity;
  bool higher_is_better = false;  // metrics
  bool wraps = false;             // schedules: goes on with another one
  bool only_training = false;     // layers: passes everything on unchanged at inference
  std::string_view source{};
};

template <class... Ts>
struct List {
  static constexpr std::size_t size = sizeof...(Ts);
  static constexpr std::array<const Entry*, size> entries{&Ts::entry...};
  // Calls f.operator()<T>(index) for every member.
  template <class F>
  static constexpr void each(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f.template operator()<Ts>(I), ...);
    }(std::index_sequence_for<Ts...>{});
  }
};

// One list of the members of several, in order.
template <class... Ts>
constexpr List<Ts...> joined(List<Ts...>) {
  return {};
}
template <class... Ts, class... Us, class... Lists>
constexpr auto joined(List<Ts...>, List<Us...>, Lists... rest) {
  return joined(List<Ts..., Us...>{}, rest...);
}
template <class... Lists>
using Joined = decltype(joined(Lists{}...));

inline constexpr int max_parameters = 12;

// The resolved hyper-parameters of one use of an entry, in the entry's order.
using Values = std::array<double, max_parameters>;

// Where the value of a declared parameter stands among those of its entry.
template <class Declared>
consteval std::size_t place_of(std::string_view parameter) {
  for (std::size_t i = 0; i < std::size(Declared::parameters); ++i)
    if (Declared::parameters[i].name == parameter) return i;
  throw "the entry declares no parameter of this name";
}

// The hyper-parameters that are lists, each at its place in the entry's order; empty for an entry without.
// (In Values a list stands with its length.)
using Lists = std::vector<std::vector<double>>;

// One user-given hyper-parameter: a number, the text of a choice, or a list. A number given for a list is a
// list of one.
struct Setting {
  std::string name;
  double value = 0;
  std::string text = {};
  std::optional<std::vector<double>> list = {};

  template <class N>
    requires std::is_arithmetic_v<N>
  Setting(std::string of, N number, std::string choice = {})
      : name(std::move(of)), value(static_cast<double>(number)), text(std::move(choice)) {}
  Setting(std::string of, std::string_view choice) : name(std::move(of)), text(choice) {}
  Setting(std::string of, std::vector<double> numbers) : name(std::move(of)), list(std::move(numbers)) {}
  Setting(std::string of, std::initializer_list<double> numbers) : name(std::move(of)), list(numbers) {}
};

// A named choice as a user writes it: {"name": "gelu", "approximate": "tanh"}.
struct Spec {
  std::string name;
  std::vector<Setting> settings = {};
};

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Where an entry was found, with its hyper-parameters resolved.
struct Choice {
  Family family = Family::activation;
  int index = -1;  // -1: nothing chosen
  const Entry* entry = nullptr;
  Values values{};
  Lists lists{};
  // "" where nothing is chosen.
  std::string_view name() const { return entry ? entry->name : std::string_view{}; }
};

namespace catalog {

std::string_view family_name(Family family);
std::span<const Family> families();
std::span<const Entry* const> entries(Family family);

// Index of `name` or one of its aliases, among what was registered (custom.h) too; throws
// std::invalid_argument with a suggestion when there is none.
int find(Family family, std::string_view name);
// Whether the catalogue itself has this name or alias.
bool known(Family family, std::string_view name);
// The entry of an index that find gave.
const Entry& entry(Family family, int index);

// Defaults overridden by `settings`, checked; throws std::invalid_argument naming operation, argument, what
// was given and what is allowed.
Values resolve(const Entry& entry, std::span<const Setting> settings);
// The lists of the same settings, checked by resolve.
Lists resolve_lists(const Entry& entry, std::span<const Setting> settings);

Choice choose(Family family, const Spec& spec);

// An activation may be elementwise or a row operation; "" chooses none.
Choice choose_activation(const Spec& spec);

// The reverse of choose: every hyper-parameter spelled out.
Spec spec_of(const Choice& choice);
std::vector<Setting> settings_of(const Entry& entry, const Values& values, const Lists& lists);

// "0 < beta < 1", "one of 'none', 'tanh'": the legal range in words.
std::string range_text(const Param& parameter);

// ", did you mean 'gelu'?" or the empty string.
std::string suggestion(std::string_view given, std::span<const std::string_view> known);

}  // namespace catalog
}  // namespace deltarule
