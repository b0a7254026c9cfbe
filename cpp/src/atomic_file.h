// Files by plain system calls: every failure is a std::system_error with the file's name.
#pragma once

#include <cstdint>
#include <string>

namespace deltarule {

class File {
 public:
  explicit File(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::uint64_t size() const { return size_; }
  // Throws when the file ends before `bytes` are read.
  void read(std::uint64_t offset, void* to, std::size_t bytes);

 private:
  std::string path_;
  std::FILE* file_;
  std::uint64_t size_ = 0;
};

// Written beside its name and renamed over it by commit(); without commit nothing remains.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, std::size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* doing);
  std::string path_, temporary_;
  std::FILE* file_;
};

}  // namespace deltarule
