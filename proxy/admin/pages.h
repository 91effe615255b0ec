// AdminPages: every page of the admin interface, as a function from request to response, in Envoy's formats. Holds no
// state. Owned by Sidecar; main thread.
#pragma once

#include <span>
#include <string_view>

#include "core/admin/request.h"
#include "proxy/admin/facts.h"

namespace remora::admin {

class AdminPages {
 public:
  // What one page offers; /help and the index are made of these.
  struct Parameter {
    std::string_view name;
    std::string_view help;
    std::string_view choices = {};  // "text json"; empty: free text
    bool flag = false;              // its presence is its value
  };
  struct Page {
    std::string_view path;
    std::string_view help;
    bool mutates = false;  // wants POST
    AdminResponse (AdminPages::*answer)(const AdminRequest&) = nullptr;
    std::span<const Parameter> parameters = {};
  };

  AdminPages(const Facts& facts, Actions& actions) : facts_(facts), actions_(actions) {}

  AdminResponse answer(const AdminRequest& request);
  static std::span<const Page> pages();

 private:
  // one group a file: pages.cc, clusters_page.cc, config_dump_page.cc, route_page.cc, index_page.cc
  AdminResponse index(const AdminRequest& request);
  AdminResponse help(const AdminRequest& request);
  AdminResponse ready(const AdminRequest& request);
  AdminResponse server_info(const AdminRequest& request);
  AdminResponse metrics(const AdminRequest& request);
  AdminResponse clusters(const AdminRequest& request);
  AdminResponse listeners(const AdminRequest& request);
  AdminResponse config_dump(const AdminRequest& request);
  AdminResponse route(const AdminRequest& request);
  AdminResponse certs(const AdminRequest& request);
  AdminResponse memory(const AdminRequest& request);
  AdminResponse hot_restart_version(const AdminRequest& request);
  AdminResponse logging(const AdminRequest& request);
  AdminResponse drain_listeners(const AdminRequest& request);
  AdminResponse quitquitquit(const AdminRequest& request);
  AdminResponse healthcheck_fail(const AdminRequest& request);
  AdminResponse healthcheck_ok(const AdminRequest& request);
  AdminResponse reopen_logs(const AdminRequest& request);
  AdminResponse reset_counters(const AdminRequest& request);

  AdminResponse log_levels() const;

  const Facts& facts_;
  Actions& actions_;
};

// Text for people about every page; each line ends in a newline.
std::string page_list();

// Writes "socket_address" or "pipe", as an object, after a key.
class JsonWriter;
void write_address(JsonWriter& json, const Address& address);
// An object.
void write_discovery(JsonWriter& json, const DiscoveryFacts& discovery);

}  // namespace remora::admin
