#include "proxy/filters/header_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/filters/fixture.h"

namespace remora::proxy {
namespace {

using testing::ElementsAre;
using Action = model::HeaderAdd::Action;

class HeaderEdit : public testing::Test {
 protected:
  static model::HeaderAdd add(std::string name, std::string_view value, Action action = Action::append_if_exists_or_add,
                              bool keep_empty = false) {
    return {std::move(name), format_of(value), action, keep_empty};
  }
  HeaderEditSources sources() { return {&weighted_, &route_, &host_, &routes_}; }
  std::vector<std::string> edit() {
    exchange_.request.headers.remove("x-dup");
    exchange_.request.headers.remove("x-empty");
    edit_request_headers(exchange_.request.headers, sources(), exchange_.info);
    return lines(exchange_.request.headers);
  }
  static std::vector<std::string> lines(const http::HeaderList& headers) {
    std::vector<std::string> lines;
    for (const http::Header& header : headers.all()) {
      lines.push_back(std::string(header.name) + ": " + std::string(header.value));
    }
    return lines;
  }

  TestExchange exchange_;
  model::WeightedCluster weighted_;
  model::Route route_;
  model::VirtualHost host_;
  model::RouteConfiguration routes_;
};

TEST_F(HeaderEdit, NothingToDoChangesNothing) { EXPECT_THAT(edit(), ElementsAre("x-a: aval")); }

TEST_F(HeaderEdit, GoesFromTheMostSpecificToTheLeast) {
  weighted_.edits.request_add = {add("x-o", "wc"), add("x-w", "wc", Action::overwrite_if_exists_or_add)};
  route_.edits.request_add = {add("x-o", "route"), add("x-w", "route", Action::overwrite_if_exists_or_add)};
  host_.edits.request_add = {add("x-o", "vh"), add("x-w", "vh", Action::overwrite_if_exists_or_add)};
  routes_.edits.request_add = {add("x-o", "rc"), add("x-w", "rc", Action::overwrite_if_exists_or_add)};
  EXPECT_THAT(edit(), ElementsAre("x-a: aval", "x-w: rc", "x-o: wc", "x-o: route", "x-o: vh", "x-o: rc"));
}

TEST_F(HeaderEdit, MostSpecificWinsWhenConfigured) {
  routes_.most_specific_header_mutations_wins = true;
  weighted_.edits.request_add = {add("x-o", "wc")};
  route_.edits.request_add = {add("x-o", "route"), add("x-w", "route", Action::overwrite_if_exists_or_add)};
  host_.edits.request_add = {add("x-o", "vh"), add("x-w", "vh", Action::overwrite_if_exists_or_add)};
  routes_.edits.request_add = {add("x-o", "rc"), add("x-w", "rc", Action::overwrite_if_exists_or_add)};
  EXPECT_THAT(edit(), ElementsAre("x-a: aval", "x-o: wc", "x-w: route", "x-o: rc", "x-o: vh", "x-o: route"));
}

TEST_F(HeaderEdit, RemovesBeforeItAdds) {
  weighted_.edits.request_add = {add("x-o", "wc")};
  route_.edits.request_remove = {"x-o", "x-a"};
  route_.edits.request_add = {add("x-a", "back"), add("x-see", "<%REQ(x-a)%>")};
  EXPECT_THAT(edit(), ElementsAre("x-a: back", "x-see: <>"));
}

TEST_F(HeaderEdit, HasEnvoysActions) {
  route_.edits.request_add = {
      add("x-a", "new"),
      add("x-a", "ow", Action::overwrite_if_exists_or_add),
      add("x-abs", "one", Action::add_if_absent),
      add("x-abs", "two", Action::add_if_absent),
      add("x-oie", "never", Action::overwrite_if_exists),
      add("x-missing", "%REQ(X-NOPE)%"),
      add("x-kept", "%REQ(X-NOPE)%", Action::append_if_exists_or_add, true),
  };
  host_.edits.request_add = {add("x-abs", "three", Action::add_if_absent),
                             add("x-kept", "now", Action::overwrite_if_exists)};
  EXPECT_THAT(edit(), ElementsAre("x-a: ow", "x-a: new", "x-abs: one", "x-abs: two", "x-kept: now"));
}

TEST_F(HeaderEdit, JoinsHeadersOfWhichThereIsOne) {
  exchange_.request.headers.add(http::HeaderId::user_agent, "curl");
  route_.edits.request_add = {add("user-agent", "more"), add("x-forwarded-for", "9.9.9.9")};
  EXPECT_THAT(edit(), ElementsAre("x-a: aval", "user-agent: curl,more", "x-forwarded-for: 9.9.9.9"));
}

TEST_F(HeaderEdit, EditsResponses) {
  weighted_.edits.response_add = {add("r-o", "wc")};
  route_.edits.response_remove = {"server"};
  route_.edits.response_add = {add("r-o", "%REQ(x-a)%-%RESPONSE_CODE%"), add("content-type", "text/x")};
  exchange_.response.headers.add(http::HeaderId::server, "s");
  edit_response_headers(exchange_.response.headers, sources(), exchange_.info);
  EXPECT_THAT(lines(exchange_.response.headers),
              ElementsAre("content-type: text/plain,text/x", "r-o: wc", "r-o: aval-200"));
}

TEST_F(HeaderEdit, TakesSourcesThatAreMissing) {
  host_.edits.response_add = {add("r", "vh")};
  edit_response_headers(exchange_.response.headers, {nullptr, nullptr, &host_, nullptr}, exchange_.info);
  EXPECT_THAT(lines(exchange_.response.headers), ElementsAre("content-type: text/plain", "r: vh"));
}

}  // namespace
}  // namespace remora::proxy
