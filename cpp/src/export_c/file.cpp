// The file as a whole: comment, sizes, the network, and a self-test with rows whose outputs the library
// worked out.
#include <deltarule/export_c.h>
#include <deltarule/layers.h>
#include <deltarule/session.h>
#include <algorithm>
#include <cmath>
#include <limits>

#include "../atomic_file.h"
#include "writer.h"

namespace deltarule {
namespace {

constexpr std::string_view reserved[] = {
    "alignas", "alignof", "and",       "asm",      "auto",     "bool",     "break",    "case",
    "catch",   "char",    "class",     "concept",  "const",    "continue", "decltype", "default",
    "delete",  "do",      "double",    "else",     "enum",     "explicit", "export",   "extern",
    "false",   "float",   "for",       "friend",   "goto",     "if",       "inline",   "int",
    "long",    "mutable", "namespace", "new",      "noexcept", "not",      "nullptr",  "operator",
    "or",      "private", "protected", "public",   "register", "requires", "restrict", "return",
    "short",   "signed",  "sizeof",    "static",   "struct",   "switch",   "template", "this",
    "throw",   "true",    "try",       "typedef",  "typeid",   "typename", "union",    "unsigned",
    "using",   "virtual", "void",      "volatile", "while",    "xor"};

void check_prefix(const std::string& prefix) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool name = !prefix.empty() && prefix.size() <= 64 && letter(prefix[0]) &&
                    std::all_of(prefix.begin(), prefix.end(),
                                [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; });
  if (!name || std::find(std::begin(reserved), std::end(reserved), prefix) != std::end(reserved))
    throw std::invalid_argument(
        "export_c: prefix = '" + prefix +
        "' is not allowed; allowed: a name in C of letters, digits and underscores that "
        "begins with a letter, at most 64 characters, no keyword");
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Text that cannot end the comment it stands in.
std::string commented(std::string_view text, const std::string& indent) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n')
      out += "\n" + indent;
    else if (static_cast<unsigned char>(c) < 32)
      out += ' ';
    else if (c == '\\' ||
             (c == '/' && ((i > 0 && text[i - 1] == '*') || (i + 1 < text.size() && text[i + 1] == '*'))))
      out += '|';
    else if (c == '?' && i > 0 && text[i - 1] == '?')
      out += " ?";
    else
      out += c;
  }
  return out;
}

std::string grouped(std::ptrdiff_t n) {
  std::string text = std::to_string(n);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

template <class T>
std::map<std::string, std::vector<double>> arrays_of(const Network<T>& network) {
  std::map<std::string, std::vector<double>> arrays;
  for (const Tensor& t : network.tensors()) {
    const auto from = (t.trained() ? network.parameters() : network.statistics())
                          .subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.size()));
    arrays[t.name].assign(from.begin(), from.end());
  }
  return arrays;
}

template <class To, class From>
Network<To> as_type(const Network<From>& network) {
  Network<To> twin = Network<To>::for_loading(network.spec(), std::numeric_limits<std::ptrdiff_t>::max() / 8);
  const auto copy = [](auto from, auto to) {
    std::transform(from.begin(), from.end(), to.begin(), [](From x) { return static_cast<To>(x); });
  };
  copy(network.parameters(), twin.parameters());
  copy(network.statistics(), twin.statistics());
  return twin;
}

// Rows such as the network may see: normally distributed, with the mean and deviation that it knows; indices
// where it looks them up.
class Inputs {
 public:
  template <class T>
  explicit Inputs(const Network<T>& network) : mean_(width(network), 0.0), deviation_(width(network), 1.0) {
    const auto& first = *network.layers()[0];
    const auto arrays = arrays_of(network);
    if (first.entry().name == Standardize::entry.name) {
      mean_ = arrays.at(first.name() + ".mean");
      deviation_ = arrays.at(first.name() + ".deviation");
    }
    if (first.entry().name == Embedding::entry.name) {
      const LayerSpec spec = first.spec();
      for (const Setting& s : spec.settings) {
        if (s.name == "columns") columns_ = *s.list;
        if (s.name == "cardinalities") cardinalities_ = *s.list;
      }
    }
  }
  std::vector<double> row() {
    std::vector<double> x(mean_.size());
    for (std::size_t j = 0; j < x.size(); ++j) {
      double sum = -6;  // of twelve uniform numbers: close to normal, and the same everywhere
      for (int k = 0; k < 12; ++k) sum += uniform();
      x[j] = mean_[j] + deviation_[j] * sum;
    }
    for (std::size_t k = 0; k < columns_.size(); ++k)
      x[static_cast<std::size_t>(columns_[k])] = std::floor(uniform() * cardinalities_[k]);
    return x;
  }

 private:
  template <class T>
  static std::size_t width(const Network<T>& network) {
    return static_cast<std::size_t>(network.input_width());
  }
  double uniform() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 33) * 0x1p-31;
  }
  std::vector<double> mean_, deviation_, columns_, cardinalities_;
  std::uint64_t state_ = 20;
};

// Rows, their outputs, and how far the outputs of float32 and float64 are apart.
struct Examples {
  std::vector<double> x, y, scale;  // scale: the largest output of every row, in magnitude
  double error = 0;                 // in float32's epsilons of the scale
  std::size_t rows = 0;
};

template <class T>
Examples examples_of(const Network<T>& network, std::span<const T> given) {
  constexpr std::size_t wanted = 8, drawn = 64;
  const auto inputs = static_cast<std::size_t>(network.input_width()),
             outputs = static_cast<std::size_t>(network.output_width());
  if (given.size() % inputs != 0)
    throw std::invalid_argument("export_c: test_inputs holds " + std::to_string(given.size()) +
                                " numbers; allowed: whole rows of " + std::to_string(inputs));
  network.check_input(static_cast<std::ptrdiff_t>(given.size() / inputs), given.data(),
                      network.input_width());
  const auto single = as_type<float>(network);
  const auto whole = as_type<double>(network);
  Session<T> own(network);
  Session<float> near(single);
  Session<double> exact(whole);
  struct Row {
    std::vector<T> x, y;
    double error, scale;
  };
  std::vector<Row> rows;
  Inputs source(network);
  const std::size_t count = given.empty() ? drawn : given.size() / inputs;
  for (std::size_t i = 0; i < count; ++i) {
    Row row{std::vector<T>(inputs), std::vector<T>(outputs), 0, 0};
    if (given.empty()) {
      const auto x = source.row();
      std::transform(x.begin(), x.end(), row.x.begin(), [](double v) { return static_cast<T>(v); });
    } else {
      std::copy_n(given.begin() + static_cast<std::ptrdiff_t>(i * inputs), inputs, row.x.begin());
    }
    const std::vector<float> xf(row.x.begin(), row.x.end());
    const std::vector<double> xd(row.x.begin(), row.x.end());
    std::vector<float> yf(outputs);
    std::vector<double> yd(outputs);
    own.run(row.x.data(), row.y.data());
    near.run(xf.data(), yf.data());
    exact.run(xd.data(), yd.data());
    bool finite = true;
    for (std::size_t j = 0; j < outputs; ++j) {
      finite = finite && std::isfinite(row.y[j]) && std::isfinite(yf[j]) && std::isfinite(yd[j]);
      row.scale = std::max(row.scale, std::fabs(static_cast<double>(row.y[j])));
      row.error = std::max(row.error, std::fabs(static_cast<double>(yf[j]) - yd[j]));
    }
    if (finite)
      rows.push_back(std::move(row));
    else if (!given.empty())
      throw std::invalid_argument("export_c: test_inputs: row " + std::to_string(i) +
                                  " has outputs that are not finite; allowed: rows with finite outputs");
  }
  if (rows.empty())
    throw std::invalid_argument(
        "export_c: no row that was drawn has finite outputs; give test_inputs, rows of real data");
  // Of a row in which next to nothing is left, all digits may be wrong.
  double largest = 1e-30;
  for (const Row& row : rows) largest = std::max(largest, row.scale);
  for (Row& row : rows) {
    row.scale = std::max(row.scale, largest / 16);
    row.error /= row.scale * 0x1p-23;
  }
  // Rows that lie next to a jump of the network, where rounding decides, are no good for a test.
  if (given.empty()) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.error < b.error; });
    rows.resize(std::min(rows.size(), wanted));
  }
  Examples all;
  for (const Row& row : rows) {
    all.x.insert(all.x.end(), row.x.begin(), row.x.end());
    all.y.insert(all.y.end(), row.y.begin(), row.y.end());
    all.scale.push_back(row.scale);
    all.error = std::max(all.error, row.error);
  }
  all.rows = rows.size();
  return all;
}

// Lines of the comment about the layers, inner ones indented.
void describe(const Chain& chain, const std::string& indent, std::string& text) {
  for (const auto& layer : chain) {
    text += "\n     " + indent + commented(layer->name(), "     ") + ": " + std::string(layer->entry().name) +
            " " + std::to_string(layer->input_width()) + " -> " + std::to_string(layer->output_width());
    const Choice activation = layer->activation();
    if (!activation.name().empty() && activation.entry != &layer->entry())
      text += ", " + std::string(activation.name());
    for (const Chain& inner : layer->inside()) describe(inner, indent + "  ", text);
  }
}

struct Whole {
  std::string prefix, comment;
  bool single;
  std::ptrdiff_t inputs, outputs;
  CWriter::Parts parts;
  CWriter::Cost cost;
  Examples examples;
  double allowed;  // of the type's epsilon

  std::ptrdiff_t bytes() const { return single ? 4 : 8; }

  std::string head(const Chain& layers) const {
    const std::string P = upper(prefix), type = single ? "float" : "double";
    std::string text = "/* A network of " + grouped(inputs) + " inputs and " + grouped(outputs) +
                       " outputs in " + (single ? "float32" : "float64") +
                       ", written by deltarule " DELTARULE_VERSION ". C99 or C++, needs math.h only.\n";
    if (!comment.empty()) text += "\n   " + commented(comment, "   ") + "\n";
    text += "\n   " + prefix +
            "_predict(input, output)       runs it, with working memory on the stack\n   " + prefix +
            "_run(input, output, work)     the same with yours: " + P + "_WORK numbers\n   " + prefix +
            "_self_test()                  0 where this machine computes what the library does\n\n"
            "   input and output must not overlap; any number of threads may run it. Include the file where "
            "it is\n"
            "   used; every source file that does holds its own copy of the constants.\n\n"
            "   flash   " +
            grouped(parts.constant_bytes) + " bytes of constants (code comes on top)\n   RAM     " +
            grouped(parts.work * bytes()) + " bytes of working memory\n   FLOP    " +
            grouped(cost.additions + cost.multiplications + cost.divisions) +
            " a run: " + grouped(cost.additions) + " additions and subtractions, " +
            grouped(cost.multiplications) + " multiplications, " + grouped(cost.divisions) +
            " divisions;\n           functions on top:";
    if (parts.evaluations.empty()) text += " none";
    const char* separator = " ";
    for (const auto& [name, times] : parts.evaluations) {
      text += separator + grouped(times) + " " + name;
      separator = ", ";
    }
    text += "\n\n   Layers:";
    describe(layers, "", text);
    text += "\n\n   Self-test: " + std::to_string(examples.rows) + " rows. Allowed are " +
            grouped(static_cast<std::ptrdiff_t>(allowed)) +
            " times the type's epsilon of a row's largest output (at least\n   1/16 of all rows' largest); "
            "float32 and float64 differ by " +
            std::to_string(static_cast<long>(std::ceil(examples.error))) + " of float32's there. " +
            grouped(static_cast<std::ptrdiff_t>(examples.x.size() + examples.y.size() + examples.rows) *
                    bytes()) +
            " bytes, which only a program that calls it holds. */\n";
    text += "#ifndef " + P + "_H\n#define " + P +
            "_H\n\n#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n\n";
    text += "#define " + P + "_INPUTS " + std::to_string(inputs) + "\n#define " + P + "_OUTPUTS " +
            std::to_string(outputs) + "\n#define " + P + "_WORK " + std::to_string(parts.work) +
            "\n#define " + P + "_CONSTANT_BYTES " + std::to_string(parts.constant_bytes) + "\n\n";
    return text;
  }

  std::string body(const CWriter& writer) const {
    const std::string P = upper(prefix), type = single ? "float" : "double";
    std::string text = parts.constants + "\n";
    if (!parts.arrays.empty()) {
      text += "typedef char " + prefix + "_constant_bytes_are_exact[(";
      for (std::size_t i = 0; i < parts.arrays.size(); ++i)
        text += (i == 0 ? "sizeof(" : " +\n  sizeof(") + parts.arrays[i] + ")";
      text += " == " + P + "_CONSTANT_BYTES) ? 1 : -1];\n\n";
    }
    text += parts.functions;
    text += "static inline void " + prefix + "_run(const " + type + " *input, " + type + " *output, " + type +
            " *work) {\n" + parts.run + "}\n\n";
    text += "static inline void " + prefix + "_predict(const " + type + " *input, " + type +
            " *output) {\n  " + type + " work[" + P + "_WORK + 1];\n  " + prefix +
            "_run(input, output, work);\n}\n\n";
    std::vector<double> tolerance;
    for (const double s : examples.scale) tolerance.push_back(allowed * s * (single ? 0x1p-23 : 0x1p-52));
    text += writer.define_array(prefix + "_test_input", examples.x) +
            writer.define_array(prefix + "_test_output", examples.y) +
            writer.define_array(prefix + "_test_tolerance", tolerance);
    text +=
        "\n/* The number of outputs that are further from the library's than allowed. */\n"
        "static inline int " +
        prefix + "_self_test(void) {\n  int wrong = 0;\n  size_t i, j;\n  for (i = 0; i < " +
        std::to_string(examples.rows) + "; ++i) {\n    " + type + " y[" + P + "_OUTPUTS];\n    " + prefix +
        "_predict(" + prefix + "_test_input + i * " + P + "_INPUTS, y);\n    for (j = 0; j < " + P +
        "_OUTPUTS; ++j)\n      if (!(" + (single ? "fabsf" : "fabs") + "(y[j] - " + prefix +
        "_test_output[i * " + P + "_OUTPUTS + j]) <= " + prefix +
        "_test_tolerance[i])) ++wrong;\n  }\n  return wrong;\n}\n\n#endif\n";
    return text;
  }
};

}  // namespace

template <class T>
std::string to_c(const Network<T>& network, const ExportOptions<T>& options) {
  check_prefix(options.prefix);
  if (!network.built()) throw std::invalid_argument("export_c: the network is not built yet");
  constexpr bool single = sizeof(T) == 4;
  CWriter writer(options.prefix, single, network.input_width(), arrays_of(network));
  for (const auto& layer : network.layers()) writer.lower(*layer);
  Whole file{options.prefix,
             std::string(options.comment),
             single,
             network.input_width(),
             network.output_width(),
             {},
             {},
             {},
             0};
  file.parts = writer.finish(network.output_width());
  file.cost = writer.cost;
  file.examples = examples_of(network, options.test_inputs);
  file.allowed = std::max(16.0, std::exp2(std::ceil(std::log2(4 * std::max(1.0, file.examples.error)))));
  return file.head(network.layers()) + file.body(writer);
}

template <class T>
void export_c(const std::string& path, const Network<T>& network, const ExportOptions<T>& options) {
  const std::string text = to_c(network, options);
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

template std::string to_c(const Network<float>&, const ExportOptions<float>&);
template std::string to_c(const Network<double>&, const ExportOptions<double>&);
template void export_c(const std::string&, const Network<float>&, const ExportOptions<float>&);
template void export_c(const std::string&, const Network<double>&, const ExportOptions<double>&);

}  // namespace deltarule
