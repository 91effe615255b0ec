// Place: where in what people wrote a value stands, so that an error, `explain` and the admin can point at it.
// A value; any thread.
#pragma once

#include <memory>
#include <string>

namespace remora::catalog {

struct Place {
  std::shared_ptr<const std::string> file;  // a path, or "Consul (dc1)"; shared by all that came out of it
  int line = 0;                             // from 1; 0: it came from Consul, which keeps no lines
  int column = 0;
  std::string path;  // config_entries[2], or service-router/api

  // "mesh.yaml:12:5", or "Consul (dc1) service-router/api"; empty when it stands nowhere (a default).
  std::string to_string() const;

  // Where a thing was written is no part of what it says: values compare without it.
  friend bool operator==(const Place&, const Place&) { return true; }
};

}  // namespace remora::catalog
