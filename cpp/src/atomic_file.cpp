#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "atomic_file.h"

#if defined(_WIN32)
#include <io.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace deltarule {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

#if defined(_WIN32)
// Names are UTF-8, as Python gives them, whatever the system's code page is.
std::filesystem::path named(const std::string& path) { return std::u8string(path.begin(), path.end()); }
std::FILE* open_to_read(const std::string& path) { return _wfopen(named(path).c_str(), L"rb"); }
std::FILE* open_new(const std::string& path) { return _wfopen(named(path).c_str(), L"wbx"); }
void discard(const std::string& path) { _wremove(named(path).c_str()); }
int seek(std::FILE* file, std::uint64_t to) { return _fseeki64(file, static_cast<long long>(to), SEEK_SET); }
#else
const std::string& named(const std::string& path) { return path; }
std::FILE* open_to_read(const std::string& path) { return std::fopen(path.c_str(), "rb"); }
std::FILE* open_new(const std::string& path) { return std::fopen(path.c_str(), "wbx"); }
void discard(const std::string& path) { std::remove(path.c_str()); }
int seek(std::FILE* file, std::uint64_t to) { return std::fseek(file, static_cast<long>(to), SEEK_SET); }
#endif

// A pipe would wait for a writer for ever, and a device would be replaced by a file.
void check_name(const std::string& path, const char* doing) {
  const std::string what = std::string(doing) + " '" + path.c_str() + "'";
  if (path.find('\0') != std::string::npos)
    throw std::system_error(EINVAL, std::generic_category(), what + " and more behind a zero");
  std::error_code error;
  const auto type = std::filesystem::status(named(path), error).type();
  using std::filesystem::file_type;
  if (type == file_type::directory) throw std::system_error(EISDIR, std::generic_category(), what);
  if (type != file_type::regular && type != file_type::not_found && type != file_type::none &&
      type != file_type::unknown)
    throw std::system_error(EINVAL, std::generic_category(), what + ", which is no regular file");
}

// Beside `path`, and nobody else's: process numbers repeat where containers share a folder.
std::FILE* open_beside(const std::string& path, std::string& name) {
  std::random_device random;
  for (int tries = 0;; ++tries) {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%08x%08x", random(), random());
    name = path + ".tmp-" + digits;
    std::FILE* file = open_new(name);
    if (file || errno != EEXIST || tries == 100) return file;
  }
}

bool flush_to_disk(std::FILE* file) {
#if defined(_WIN32)
  return _commit(_fileno(file)) == 0;
#else
  return fsync(fileno(file)) == 0;
#endif
}

// The new name has to survive a crash as well.
void flush_folder(const std::string& path) {
#if !defined(_WIN32)
  const auto folder = std::filesystem::path(path).parent_path();
  const int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
#else
  (void)path;
#endif
}

}  // namespace

File::File(const std::string& path) : path_(path), file_(nullptr) {
  check_name(path, "cannot read");
  file_ = open_to_read(path);
  if (!file_) throw_errno("cannot read '" + path + "'");
  std::error_code error;
  const auto size = std::filesystem::file_size(named(path), error);
  if (error) {
    std::fclose(file_);
    throw std::system_error(error, "cannot read '" + path + "'");
  }
  size_ = size;
}

File::~File() { std::fclose(file_); }

void File::read(std::uint64_t offset, void* to, std::size_t bytes) {
  if (bytes == 0) return;
  if (seek(file_, offset) != 0 || std::fread(to, 1, bytes, file_) != bytes)
    throw std::system_error(std::ferror(file_) ? errno : EIO, std::generic_category(),
                            "cannot read '" + path_ + "'");
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  check_name(path, "cannot write");
  file_ = open_beside(path, temporary_);
  if (!file_) throw_errno("cannot write '" + path + "'");
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  std::fclose(file_);
  discard(temporary_);
}

void AtomicFile::fail(const char* doing) { throw_errno(std::string(doing) + " '" + path_ + "'"); }

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) fail("cannot write");
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0 || !flush_to_disk(file_)) fail("cannot write");
  if (std::fclose(std::exchange(file_, nullptr)) != 0) {
    discard(temporary_);
    fail("cannot write");
  }
  std::error_code error;
  std::filesystem::rename(named(temporary_), named(path_), error);
  if (error) {
    discard(temporary_);
    throw std::system_error(error, "cannot replace '" + path_ + "'");
  }
  flush_folder(path_);
}

}  // namespace deltarule
