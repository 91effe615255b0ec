#include "core/admin/json.h"

#include <gmock/gmock.h>

namespace remora::admin {
namespace {

using ::testing::ElementsAre;

TEST(Json, LaysOutAsEnvoyDoes) {
  JsonWriter json;
  json.begin_object().key("a").begin_array().begin_object().key("b").string("x\"\n").end_object().number(3);
  json.end_array().key("empty").begin_object().end_object().key("none").begin_array().end_array();
  json.key("yes").boolean(true).end_object();
  EXPECT_EQ(json.take(),
            "{\n \"a\": [\n  {\n   \"b\": \"x\\\"\\n\"\n  },\n  3\n ],\n \"empty\": {},\n \"none\": [],\n \"yes\": "
            "true\n}\n");
}

TEST(Json, LaysRawTextOutAnew) {
  JsonWriter json;
  json.begin_object().key("@type").string("t").raw_members(
      R"( { "a" :{"b":[1, "x,}]\"" ,null] }, "c":{} ,"d":-1.5e3})");
  json.end_object();
  EXPECT_EQ(json.take(),
            "{\n \"@type\": \"t\",\n \"a\": {\n  \"b\": [\n   1,\n   \"x,}]\\\"\",\n   null\n  ]\n },\n \"c\": {},\n "
            "\"d\": -1.5e3\n}\n");
}

TEST(Json, FindsMembersAndElements) {
  const std::string_view text = R"({"x": {"y": "}"}, "list": [ {"n": "a"}, 2, [3] ], "n": "top"})";
  EXPECT_EQ(json_member(text, "x"), R"({"y": "}"})");
  EXPECT_EQ(json_member(json_member(text, "x"), "y"), R"("}")");
  EXPECT_EQ(json_text(json_member(text, "n")), "top");
  EXPECT_EQ(json_member(text, "y"), "");
  EXPECT_THAT(json_elements(json_member(text, "list")), ElementsAre(R"({"n": "a"})", "2", "[3]"));
  EXPECT_TRUE(json_elements(json_member(text, "x")).empty());
  EXPECT_TRUE(json_elements("").empty());
}

TEST(Json, BrokenTextEndsTheSearch) {
  for (const std::string_view text : {"{", "{\"a", "{\"a\":", "[1,", "[", "", "{\"a\":\"\\"}) {
    EXPECT_EQ(json_member(text, "b"), "");
    (void)json_elements(text);
    JsonWriter().raw(text);
  }
}

}  // namespace
}  // namespace remora::admin
