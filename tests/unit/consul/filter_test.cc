// Consul's filter language, row by row. What tests/system asks a real Consul is asked here of our own.
#include "core/consul/filter.h"

#include <gtest/gtest.h>

#include "core/consul/health_entry.h"

namespace remora::consul {
namespace {

HealthEntry entry() {
  HealthEntry entry;
  entry.node = {.id = "n-1",
                .node = "node1",
                .address = "10.0.0.1",
                .datacenter = "dc1",
                .tagged_addresses = {{"lan", "10.0.0.1"}},
                .meta = {{"rack", "r1"}}};
  entry.service.id = "api-1";
  entry.service.service = "api";
  entry.service.tags = {"v1", "primary"};
  entry.service.address = "10.0.0.7";
  entry.service.port = 8080;
  entry.service.meta = {{"version", "2"}, {"my-key", "a/b"}, {"env", "prod"}};
  entry.service.tagged_addresses = {{"wan", {"1.2.3.4", 80}}};
  for (const char* status : {"passing", "warning"}) {
    CheckEntry& check = entry.checks.emplace_back();
    check.node = "node1";
    check.status = status;
  }
  return entry;
}

struct Row {
  const char* filter;
  bool matches;
};

TEST(Filter, Matches) {
  const HealthEntry subject = entry();
  for (const Row& row : std::initializer_list<Row>{
           {"", true},
           {"  ", true},
           {"Service.Meta.version == 2", true},
           {"Service.Meta.version==2", true},
           {"Service.Meta.version == \"2\"", true},
           {"Service.Meta.version == `2`", true},
           {"Service.Meta.version != 2", false},
           {"Service.Meta.version == 2 and Service.Meta.env == prod", true},
           {"Service.Meta.version == 2 and Service.Meta.env == dev", false},
           {"Service.Meta.version == 3 or Service.Meta.env == prod", true},
           // `and` binds tighter than `or`
           {"Service.Meta.env == prod or Service.Meta.env == dev and Service.Meta.version == 3", true},
           {"(Service.Meta.env == prod or Service.Meta.env == dev) and Service.Meta.version == 3", false},
           {"not Service.Meta.version == 3", true},
           {"not not Service.Meta.version == 2", true},
           {"not (Service.Meta.version == 2 and Service.Meta.env == dev)", true},
           {" ( ( Service.Meta.version == 2 ) ) ", true},
           {"v1 in Service.Tags", true},
           {"\"v1\" in Service.Tags", true},
           {"v2 in Service.Tags", false},
           {"v2 not in Service.Tags", true},
           {"Service.Tags contains primary", true},
           {"Service.Tags not contains primary", false},
           {"Service.Tags is empty", false},
           {"Service.Tags is not empty", true},
           {"Service.Meta is empty", false},
           {"version in Service.Meta", true},
           {"Service.Meta contains nothing", false},
           {"Service.Meta[\"my-key\"] == \"a/b\"", true},
           {"Service.Meta[ `my-key` ] contains \"/\"", true},
           {"\"/Service/Meta/my-key\" == \"a/b\"", true},
           {"\"/Service/Meta/version\" matches \"[0-9]\"", true},
           {"\"/a/b\" in Service.Tags", false},
           {"pi in Service.Service", true},
           {"Service.Service matches \"^a.i$\"", true},
           {"Service.Service matches `p`", true},
           {"Service.Service not matches \"^b\"", true},
           {"Service.Port == 8080", true},
           {"Service.Port == 0x1f90", false},  // 0x1f90 is no number of the grammar: see Refuses
           {"Service.Port == \"0x1f90\"", true},
           {"Service.Port != 80", true},
           {"Service.EnableTagOverride == false", true},
           {"Service.EnableTagOverride == F", true},
           {"Service.Connect.Native != true", true},
           {"Service.Weights.Passing == 1", true},
           {"Service.Kind == \"\"", true},
           {"Service.TaggedAddresses.wan.Port == 80", true},
           {"Service.TaggedAddresses[\"wan\"].Address == \"1.2.3.4\"", true},
           {"Checks.Status == passing", true},  // of any
           {"Checks.Status != passing", true},  // of any, too
           {"Checks.Status == critical", false},
           {"not Checks.Status == passing", false},
           {"Checks is empty", false},
           {"Node.Datacenter == dc1", true},
           {"Node.Meta.rack == r1 and Node.TaggedAddresses.lan contains \"10.\"", true},
           // keys that are not there
           {"Service.Meta.none == 1", false},
           {"Service.Meta.none != 1", true},
           {"Service.Meta.none contains a", false},
           {"a not in Service.Meta.none", true},
           {"Service.TaggedAddresses.lan.Port == 80", false},
           {"Service.TaggedAddresses.lan.Port != 80", true},
           {"Service.Meta.none matches a", true},  // as Consul 1.20 has it
           // words that are also keywords
           {"not in Service.Tags", false},
           {"Service.Meta.not == 1", false},
           {"Service.Meta.version == and", false},
           {"Service.Meta.env == prod.x", false},
       }) {
    const auto filter = Filter::parse(row.filter, health_entry_schema());
    if (std::string_view(row.filter).find("== 0x1f90") != std::string_view::npos) {
      EXPECT_FALSE(filter) << row.filter;
      continue;
    }
    ASSERT_TRUE(filter) << filter.error().to_string(row.filter);
    EXPECT_EQ(filter->matches(selectable(subject)), row.matches) << row.filter;
  }
}

struct Refusal {
  const char* filter;
  std::size_t position;
  const char* message;  // a part of it
};

TEST(Filter, RefusesWithPlaceAndExpectation) {
  for (const Refusal& row : std::initializer_list<Refusal>{
           {"Service.Meta.version = 2", 20, "expected '==', '!='"},
           {"Service.Meta.version ==", 23, "expected a value"},
           {"Service.Meta.version == my-key", 26, "takes quotes"},
           {"Service.Meta.version == 2 and", 25, "the end"},
           {"Service.Meta.version == 2 and ", 30, "expected a selector"},
           {"(Service.Meta.version == 2", 26, "')'"},
           {"Service.Meta.version == 2)", 25, "the end"},
           {"Service.Meta.version == \"2", 24, "no closing \""},
           {"Service.Meta.version == 2a", 24, "not a number"},
           {"Service.Meta.version == 007", 24, "not a number"},
           {"Service.Meta[version] == 2", 13, "in quotes as the index"},
           {"Service.Meta[\"version\" == 2", 23, "']'"},
           {"Service.Port == 0x1f90", 16, "not a number"},
           {"not(Service.Port == 1)", 3, "expected '=='"},
           {"Service.Port == 1 and(Service.Port == 2)", 17, "the end"},
           {"Service.Meta.version matches \"(\"", 29, "regular expression"},
           {"\"a\\qb\" in Service.Tags", 0, "escape"},
           {"v1 in \"Service.Tags\"", 6, "expected a selector"},
           // the shape of the values
           {"Service.Mta.version == 2", 0, "Service.Mta is not known (did you mean 'Meta'?)"},
           {"service.Meta.version == 2", 0, "(did you mean 'Service'?)"},
           {"Service.Port contains 2", 13, "takes '==' and '!='"},
           {"Service.Port == abc", 16, "expected a whole number, not 'abc'"},
           {"Service.EnableTagOverride == maybe", 29, "expected true or false"},
           {"Service.Tags == v1", 13, "a list"},
           {"Service.Meta == v1", 13, "a map"},
           {"Service == v1", 8, "a structure"},
           {"Checks contains x", 7, "a list"},
           {"Service.Service is empty", 16, "text"},
           {"Service.Service.x == 1", 0, "nothing can be selected below it"},
           {"Service.Tags.x == 1", 0, "nothing can be selected below it"},
       }) {
    const auto filter = Filter::parse(row.filter, health_entry_schema());
    ASSERT_FALSE(filter) << row.filter;
    EXPECT_EQ(filter.error().position, row.position) << filter.error().to_string(row.filter);
    EXPECT_NE(filter.error().message.find(row.message), std::string::npos) << filter.error().to_string(row.filter);
  }
}

TEST(Filter, DeepAndLongTextsAreRefusedNotCrashedOn) {
  EXPECT_FALSE(Filter::parse(std::string(50'000, '(')));
  std::string nots;
  std::string chain = "a == b";
  for (int i = 0; i < 8'000; ++i) {
    nots += "not ";
    chain += " or a == b";
  }
  EXPECT_FALSE(Filter::parse(nots + "a == b"));
  EXPECT_FALSE(Filter::parse(chain));
  EXPECT_FALSE(Filter::parse(std::string(100'000, 'a') + " == b"));
}

TEST(Filter, SaysWhatItMentions) {
  const auto filter = Filter::parse("not (Checks.Output contains x or Service.Port == 1)");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->mentions("Output"));
  EXPECT_FALSE(filter->mentions("Notes"));
}

TEST(Filter, ErrorsReadWell) {
  const std::string text = "Service.Meta.version = 2";
  EXPECT_EQ(Filter::parse(text).error().to_string(text),
            "filter 'Service.Meta.version = 2', column 21, at ' = 2': expected '==', '!=', ' contains ', ' matches ', "
            "' is empty', ' in ' or ' not in '");
}

}  // namespace
}  // namespace remora::consul
