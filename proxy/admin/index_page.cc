// The admin's home page: one self-contained file, without scripts, so that it works through any port-forward.
#include <fmt/format.h>

#include "proxy/admin/pages.h"

namespace remora::admin {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Remora admin</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --ok: #1a7f37; --bad: #b35900; }
@media (prefers-color-scheme: dark) { :root { --ok: #4ac26b; --bad: #e0a050; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; padding: .7rem 1rem;
     background: var(--soft); border-radius: .5rem; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
.state { font-weight: 600; } .LIVE { color: var(--ok); } .DRAINING, .PRE_INITIALIZING { color: var(--bad); }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .45rem .5rem; vertical-align: top; }
td:first-child { white-space: nowrap; font-family: ui-monospace, monospace; }
form { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center; margin: 0; }
label { font-size: .9em; } small { display: block; opacity: .7; }
button, input, select { font: inherit; font-size: .9em; }
</style>
</head>
<body>
<h1>Remora</h1>
)";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string control(const AdminPages::Parameter& parameter) {
  if (parameter.flag) {
    return fmt::format(R"(<label title="{}"><input type="checkbox" name="{}" value="1"> {}</label>)",
                       escape(parameter.help), parameter.name, parameter.name);
  }
  if (parameter.choices.empty()) {
    return fmt::format(R"(<label title="{}">{} <input name="{}" size="14"></label>)", escape(parameter.help),
                       parameter.name, parameter.name);
  }
  std::string out =
      fmt::format(R"(<label title="{}">{} <select name="{}">)", escape(parameter.help), parameter.name, parameter.name);
  out += "<option></option>";
  std::string_view rest = parameter.choices;
  while (!rest.empty()) {
    const std::string_view choice = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), choice.size() + 1));
    out += fmt::format("<option>{}</option>", choice);
  }
  return out + "</select></label>";
}

std::string row(const AdminPages::Page& page) {
  const std::string_view name = page.path.substr(1);
  std::string out = "<tr><td>";
  out += page.mutates ? escape(name) : fmt::format(R"(<a href="{}">{}</a>)", name, name);
  out += fmt::format("</td><td>{}", escape(page.help));
  if (page.mutates || !page.parameters.empty()) {
    out += fmt::format(R"(<form method="{}" action="{}">)", page.mutates ? "post" : "get", name);
    for (const auto& parameter : page.parameters) {
      out += control(parameter);
    }
    out += fmt::format("<button>{}</button></form>", page.mutates ? "do it" : "show");
  }
  return out + "</td></tr>\n";
}

}  // namespace

AdminResponse AdminPages::index(const AdminRequest&) {
  const ServerFacts server = facts_.server();
  std::string page(kHead);
  page += fmt::format(
      "<dl><dt>state</dt><dd class=\"state {0}\">{0}</dd><dt>node</dt><dd>{1}</dd><dt>cluster</dt><dd>{2}</dd>"
      "<dt>version</dt><dd>{3}</dd><dt>up since</dt><dd>{4} s</dd><dt>workers</dt><dd>{5}</dd>"
      "<dt>connections</dt><dd>{6}</dd><dt>requests</dt><dd>{7}</dd></dl>\n<table>\n",
      server.state, escape(server.node.id), escape(server.node.cluster), escape(server.version), server.uptime.count(),
      server.workers, server.connections, server.requests);
  for (const Page& entry : pages()) {
    if (entry.path != "/" && entry.path != "/reset_counters") {
      page += row(entry);
    }
  }
  page += "</table>\n</body>\n</html>\n";
  return {.status = 200, .type = kHtmlType, .body = std::move(page), .after = {}};
}

}  // namespace remora::admin
