// SourceLines: the line of a file that a message speaks of, with a mark under its column. Reads each file once. Owned
// by a command; main thread.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace remora::control {

class SourceLines {
 public:
  // "  12 | - {name: web, prot: 80}\n     |              ^\n"; nothing where there is no such line.
  std::string excerpt(const std::string& file, int line, int column);

 private:
  const std::vector<std::string>& lines_of(const std::string& file);

  std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace remora::control
