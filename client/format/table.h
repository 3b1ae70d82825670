// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORMAT_TABLE_H_
#define VCD_CLIENT_FORMAT_TABLE_H_

#include <string>
#include <vector>

namespace vcd::client {

// Rows as aligned columns, two blanks apart, without blanks at the end of a line.
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // As many cells as the header has. Control characters are replaced.
  void AddRow(std::vector<std::string> cells);
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORMAT_TABLE_H_
